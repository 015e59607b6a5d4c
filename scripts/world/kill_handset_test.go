package world_test

import (
	"context"
	"errors"
	"fmt"
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
	base     func() string // whom it asks
	patient  bool          // goes on polling where nobody answers
	client   *trust.Client
	document *policy.Document
	head     manifests.SHA256
	followed uint64                      // counter of the last document that was held against the log
	places   map[string]int              // how far each rollout's rows were published, by id
	forks    map[uint64]manifests.SHA256 // documents that were read, by counter
}

func newWatcher(d *drama, base func() string) *watcher {
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
		d: d, base: base, client: &trust.Client{Store: s, Product: product, Clock: now, Built: time.Now().AddDate(0, -1, 0)},
		places: map[string]int{}, forks: map[uint64]manifests.SHA256{},
	}
}

// look polls once, as a handset does that has just been woken.
func (h *watcher) look(ctx context.Context) error {
	f, err := fetch.New(fetch.Options{Bases: []string{h.base()}, Retries: -1})
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

// poll has everybody poll until the function that it gives is called, also while
// servers die. A handset may find nobody there; what it does find it must
// accept.
func (d *drama) poll() (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, len(d.crowd))
	for _, h := range d.crowd {
		go func() { done <- h.keepPolling(ctx) }()
	}
	return func() {
		d.t.Helper()
		cancel()
		for range d.crowd {
			if err := <-done; err != nil {
				d.fail("a handset that polls while a server dies: %v", err)
			}
		}
	}
}

// pollPause is between two polls of those who go on where nobody answers.
const pollPause = 10 * time.Millisecond

func (h *watcher) keepPolling(ctx context.Context) error {
	pause := time.NewTicker(pollPause)
	defer pause.Stop()
	for ctx.Err() == nil {
		err := h.look(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil && !h.patient:
			continue
		case err != nil && !errors.Is(err, trust.ErrUnreachable):
			return err
		case err != nil && !h.patient:
			return nil
		case errors.Is(err, fetch.ErrNotFound): // one server, one tree: all that it names is there
			return fmt.Errorf("%s serves a mixture: %w", h.base(), err)
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
	}
	return nil
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
		h.d.must(h.d.get("/"+layout.TargetFile(layout.RolloutsPath(product), *doc.Prev), &data))
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
