package trust

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/client/fetch"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
)

// FullWalkEvery is the longest that unchanged timestamps put off a full walk.
const FullWalkEvery = 24 * time.Hour

// Clock tells the time and whether it was ever set.
type Clock func() (now time.Time, set bool)

// Client keeps one product's view of the tree. Not for concurrent use.
type Client struct {
	Store   *Store
	Fetch   Fetcher
	Product manifests.Product
	Clock   Clock
	// Built is when this program was made: no clock is earlier.
	Built time.Time

	view *View // of the last walk of this process
}

// View is what a walk proved, all from one snapshot.
type View struct {
	Document *rollout.Document // nil when the maker publishes none
	Releases map[manifests.Build]rollout.Signed
	Expiry   time.Time       // by which expiries were judged
	Pace     time.Time       // by which pace is judged; zero without a clock
	NextBy   *manifests.Time // the maker promises news by then
	// SpareVotes are the builds whose votes the engineers have moved to the spare
	// keys of their releases, in rising order.
	SpareVotes []manifests.Build
	Head       manifests.SHA256
	Forked     bool // another document with this counter was seen before
	Expires    time.Time
	Versions   map[string]int64
	SignedBy   []string // ids of the keys whose signatures over releases-PRODUCT hold
}

// Init makes dir a store that trusts root, which must verify against itself.
func Init(dir string, root []byte) error {
	if len(root) > maxRootBytes {
		return refuse(metadata.ROOT, ErrMalformed, "%d bytes; at most %d are read", len(root), maxRootBytes)
	}
	if err := checkShape(metadata.ROOT, root); err != nil {
		return err
	}
	if err := verifyRoot(root); err != nil {
		return err
	}
	store, err := OpenStore(dir)
	if err != nil {
		return err
	}
	return errors.Join(store.save(metadata.ROOT, root), store.Close())
}

// Poll brings the view up to date. A timestamp that has not changed costs one
// request; everything else is a full walk. On error the last view stays valid
// as far as its expiries allow, and nothing verified is lost.
//
// A source whose timestamp leads nowhere (it is behind, or mixed, or not the
// maker's) is set aside, and the next one is asked, while there is one.
func (c *Client) Poll(ctx context.Context) (*View, error) {
	sources, several := c.Fetch.(Sources)
	if several {
		sources.Forgive()
	}
	for {
		view, origin, err := c.poll(ctx)
		var refusal *Refusal
		if !several || !errors.As(err, &refusal) || !sources.Shun(layout.TimestampFile, origin) {
			return view, err
		}
	}
}

// poll is one try, with the timestamp of one source, which it names.
func (c *Client) poll(ctx context.Context) (*View, string, error) {
	st, err := c.Store.loadState()
	if err != nil {
		return nil, "", err
	}
	etag := ""
	if c.fresh(st) {
		etag = st.ETag
	}
	answer, err := c.Fetch.Get(ctx, layout.TimestampFile, maxTimestampBytes, etag)
	if err != nil {
		return nil, "", unreachable(metadata.TIMESTAMP, err)
	}
	if answer.NotModified && etag != "" {
		c.view.Expiry, c.view.Pace = c.times(st)
		return c.view, answer.Origin, nil
	}
	view, err := c.walk(ctx, st, answer)
	return view, answer.Origin, err
}

// fresh tells whether an unchanged timestamp would leave nothing to do.
func (c *Client) fresh(st *state) bool {
	if c.view == nil || st.LastWalk == nil || st.ETag == "" {
		return false
	}
	expiry, _ := c.times(st)
	age := expiry.Sub(st.LastWalk.Time)
	return expiry.Before(c.view.Expires) && age >= 0 && age < FullWalkEvery
}

// times gives the two clocks: expiry by the latest of all, pace by the earlier
// of the local clock and the newest signed time.
func (c *Client) times(st *state) (expiry, pace time.Time) {
	now, set := c.Clock()
	issued := st.issued()
	expiry = c.Built
	if set && now.After(expiry) {
		expiry = now
	}
	if issued.After(expiry) {
		expiry = issued
	}
	if !set || now.Before(c.Built) || issued.IsZero() {
		return expiry, time.Time{}
	}
	if pace = now; issued.Before(pace) {
		pace = issued
	}
	return expiry, pace
}

func (c *Client) walk(ctx context.Context, st *state, timestamp fetch.Response) (*View, error) {
	reference := func() time.Time { e, _ := c.times(st); return e }
	w := &walk{store: c.Store, fetch: c.Fetch, base: layout.MetadataDir + "/", state: st, reference: reference}
	if err := w.roots(ctx); err != nil {
		return nil, err
	}
	if err := w.forget(st.dropByRoot(w.set.Root)); err != nil {
		return nil, err
	}
	w.set.RefTime = reference()
	files, err := w.top(ctx, timestamp.Body)
	if err != nil {
		return nil, err
	}
	if err := w.forget(st.dropByTargets(w.set.Targets[metadata.TARGETS])); err != nil {
		return nil, err
	}
	for _, role := range []string{layout.RolloutsRole, layout.ReleasesRole(c.Product)} {
		data, err := w.targets(ctx, role, metadata.TARGETS)
		if err != nil {
			return nil, err
		}
		files = append(files, file{role, data})
	}
	view, err := c.read(ctx, w)
	if err != nil {
		return nil, err
	}
	return view, c.accept(w, view, files, timestamp)
}

// file is a verified role that is to be stored.
type file struct {
	role string
	data []byte
}

func (w *walk) top(ctx context.Context, timestamp []byte) ([]file, error) {
	fresh, err := w.timestamp(timestamp)
	if err != nil {
		return nil, err
	}
	var files []file
	if fresh {
		files = append(files, file{metadata.TIMESTAMP, timestamp})
	}
	snapshot, err := w.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	targets, err := w.targets(ctx, metadata.TARGETS, metadata.ROOT)
	if err != nil {
		return nil, err
	}
	return append(files, file{metadata.SNAPSHOT, snapshot}, file{metadata.TARGETS, targets}), nil
}

// accept takes over the signed time, judges every expiry again by it, and only
// then stores what was verified; the state comes last.
func (c *Client) accept(w *walk, view *View, files []file, timestamp fetch.Response) error {
	w.raiseFloors()
	view.Expiry, view.Pace = c.times(w.state)
	if !view.Expiry.Before(view.Expires) {
		return refuse("metadata", ErrExpired, "by the time that the timestamp states, something in it expired at %s", manifests.At(view.Expires))
	}
	for _, f := range files {
		if err := c.Store.save(f.role, f.data); err != nil {
			return err
		}
	}
	st := w.state
	st.ETag, st.LastWalk, st.StaleFrom = "", new(manifests.At(view.Expiry)), nil
	if timestamp.ETag == layout.ETag(timestamp.Body) {
		st.ETag = timestamp.ETag // any other could be this handset's alone, and follow it from poll to poll
	}
	if view.Document != nil {
		st.Head = &head{Counter: view.Document.Counter, SHA256: view.Head}
	}
	if err := c.Store.saveState(st); err != nil {
		return err
	}
	c.view = view
	return nil
}

func verifyRoot(root []byte) error {
	return guarded(metadata.ROOT, func() error {
		m, err := metadata.Root().FromBytes(root)
		if err != nil {
			return err
		}
		if err := m.VerifyDelegate(metadata.ROOT, m); err != nil {
			return fmt.Errorf("the root does not sign itself: %w", err)
		}
		return nil
	})
}
