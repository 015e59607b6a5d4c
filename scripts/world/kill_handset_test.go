package world_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/candor-ota/candor/client/fetch"
	"github.com/candor-ota/candor/client/trust"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	policy "github.com/candor-ota/candor/manifests/rollout"
)

// watcher is one handset over all kills, with the real client's trust: what it
// has read it never forgets.
type watcher struct {
	d        *drama
	client   *trust.Client
	document *policy.Document
	head     manifests.SHA256
	followed uint64                      // counter of the last document that was held against the log
	places   map[string]int              // how far each rollout's rows were published, by id
	forks    map[uint64]manifests.SHA256 // documents that were read, by counter
}

func newWatcher(d *drama) *watcher {
	root, err := os.ReadFile(d.w.Path("1.root.json"))
	d.must(err)
	dir := filepath.Join(d.t.TempDir(), "trust")
	d.must(trust.Init(dir, root))
	s, err := trust.OpenStore(dir)
	d.must(err)
	d.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			d.t.Error(err)
		}
	})
	now := func() (time.Time, bool) { return time.Now(), true }
	return &watcher{
		d: d, client: &trust.Client{Store: s, Product: product, Clock: now, Built: time.Now().AddDate(0, -1, 0)},
		places: map[string]int{}, forks: map[uint64]manifests.SHA256{},
	}
}

// look polls once, as a handset does that has just been woken.
func (h *watcher) look(ctx context.Context) error {
	f, err := fetch.New(fetch.Options{Bases: []string{h.d.w.Server}, Retries: -1})
	if err != nil {
		return err
	}
	defer f.Close()
	h.client.Fetch = f
	view, err := h.client.Poll(ctx)
	if err != nil {
		return err
	}
	if view.Forked {
		return errors.New("the handset was shown two histories of rollouts")
	}
	if view.Document == nil {
		return errors.New("there is no document of rollouts")
	}
	if before, ok := h.forks[view.Document.Counter]; ok && before != view.Head {
		return errors.New("two documents have one counter")
	}
	h.forks[view.Document.Counter] = view.Head
	h.document, h.head = view.Document, view.Head
	return nil
}

// read polls a server that is up.
func (h *watcher) read() {
	h.d.t.Helper()
	h.d.must(h.look(ctx))
}

// polling is a handset that polls all the time.
type polling struct {
	cancel context.CancelFunc
	done   chan error
	d      *drama
}

// poll polls until stop, also while the server dies. The handset may find
// nobody there; what it does find it must accept.
func (h *watcher) poll() polling {
	ctx, cancel := context.WithCancel(ctx)
	p := polling{cancel, make(chan error, 1), h.d}
	go func() {
		for ctx.Err() == nil {
			if err := h.look(ctx); err != nil {
				if errors.Is(err, trust.ErrUnreachable) || ctx.Err() != nil {
					err = nil
				}
				p.done <- err
				return
			}
		}
		p.done <- nil
	}()
	return p
}

func (p polling) stop() {
	p.d.t.Helper()
	p.cancel()
	if err := <-p.done; err != nil {
		p.d.fail("a handset that polls while the server dies: %v", err)
	}
}

// follow walks from the present document back to the last one that was held
// against the log: every one that was ever published, whether or not somebody
// read it, says what the ledger said at some time, in its order.
func (h *watcher) follow() {
	h.d.t.Helper()
	var news []*policy.Document
	for doc, head := h.document, h.head; doc.Counter > h.followed; {
		if seen, ok := h.forks[doc.Counter]; ok && seen != head {
			h.d.fail("document %d was another one before", doc.Counter)
		}
		h.forks[doc.Counter] = head
		news = append(news, doc)
		if doc.Prev == nil {
			break
		}
		var data []byte
		h.d.must(h.d.w.Call(ctx, http.MethodGet, "/"+layout.TargetFile(layout.RolloutsPath(product), *doc.Prev), nil, &data))
		before, err := policy.Parse(data)
		h.d.must(err)
		if manifests.SumSHA256(data) != *doc.Prev || before.Counter+1 != doc.Counter {
			h.d.fail("document %d does not follow from %d", doc.Counter, before.Counter)
		}
		doc, head = before, *doc.Prev
		if seen, ok := h.forks[doc.Counter]; ok && seen != head {
			h.d.fail("document %d is not the one that was read before", doc.Counter)
		}
	}
	slices.Reverse(news)
	for _, doc := range news {
		h.hold(doc)
		h.followed = doc.Counter
		h.d.figures.documents++
	}
}

// hold finds each rollout of a document in the log, at or after the place of
// the document before.
func (h *watcher) hold(doc *policy.Document) {
	h.d.t.Helper()
	for _, r := range doc.Rollouts {
		rows, at := h.d.ledger.rollouts[string(r.ID)], h.places[string(r.ID)]
		for ; ; at++ {
			if at >= len(rows) {
				h.d.fail("document %d said %s, stage %d (%s) of rollout %s, which the ledger never said, or not then; it says %v",
					doc.Counter, r.State, r.Stage, r.Reason, r.ID, rows)
			}
			if rows[at].state == r.State && rows[at].stage == r.Stage && rows[at].reason == r.Reason {
				break
			}
		}
		h.places[string(r.ID)] = at
	}
}
