package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	tufconfig "github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/server/store"
)

// LockedOut says which client a submission would have shut out, and where.
// Nothing of the submission was published, noted or stored.
type LockedOut struct {
	Client string // such as "a handset that trusts root 3"
	Role   string
	Reason error
}

func (l *LockedOut) Error() string {
	return fmt.Sprintf("a rehearsal with real clients failed: %s would be locked out at %s: %v", l.Client, l.Role, l.Reason)
}

func (l *LockedOut) Unwrap() error { return l.Reason }

// rehearsal runs real clients against a tree that is not published yet.
type rehearsal struct {
	before *generation // published now; its number is 0 if nothing is
	next   *generation
	now    time.Time
	walked map[rootLink]bool // see Publisher.walked
}

// rootLink is one step of a client, from a root that it trusts to the next. A
// chain never changes, and a client at a root is the same however it came there:
// so each step is rehearsed once, and a new root costs one step, not one walk
// for each old root.
type rootLink struct{ from, to manifests.SHA256 }

// rehearse stages a submission in memory, signed as it would be published, and
// has a new client, one from each older root, and one that is up to date go
// over it. The error is a *LockedOut if one of them fails.
func (p *Publisher) rehearse(ctx context.Context, s Submission) error {
	next, err := p.stage(ctx, s)
	if errors.Is(err, ErrNotConfigured) {
		return nil
	}
	if err != nil {
		return err
	}
	if p.walked == nil {
		p.walked = map[rootLink]bool{}
	}
	r := &rehearsal{before: p.current, next: next, now: p.now(), walked: p.walked}
	return r.run()
}

// stage makes the tree that a submission would lead to. It writes nothing, and
// reserves no number.
func (p *Publisher) stage(ctx context.Context, s Submission) (*generation, error) {
	st, err := p.aside(ctx, s)
	if err != nil {
		return nil, err
	}
	return st.next, st.signAll(ctx)
}

// aside takes a submission into a tree of its own, not yet signed.
func (p *Publisher) aside(ctx context.Context, s Submission) (*step, error) {
	apart := &Publisher{
		ledger: numbers{}, blobs: nowhere{}, keys: p.keys, rollouts: p.rollouts, now: p.now, current: p.current,
		log: slog.New(slog.DiscardHandler),
	}
	st := &step{Publisher: apart, next: p.current.clone(), now: p.now().UTC().Truncate(time.Second), all: true}
	if err := st.take(ctx, &noted{Submission: s}); err != nil {
		return nil, err
	}
	if st.next.Roots == 0 || st.next.role(metadata.TARGETS) == nil {
		return nil, ErrNotConfigured
	}
	return st, st.choose()
}

// signAll signs every online role, as a publish does.
func (s *step) signAll(ctx context.Context) error {
	if _, err := s.signRollouts(ctx); err != nil {
		return err
	}
	if _, err := s.signSnapshot(ctx, true); err != nil {
		return err
	}
	return s.signTimestamp(ctx)
}

// numbers gives the next version of a role and remembers nothing.
type numbers struct{ Ledger }

func (numbers) ReserveVersion(_ context.Context, _ store.Lease, _ string, least int64) (int64, error) {
	return least, nil
}

// nowhere takes every file and keeps none.
type nowhere struct{ Blobs }

func (nowhere) Put(context.Context, store.Object, io.Reader) error { return nil }

// run rehearses everything, the cheapest and most telling first.
func (r *rehearsal) run() error {
	if err := r.submittedAreFresh(); err != nil {
		return err
	}
	at := r.reference()
	if err := r.inPlace(at); err != nil {
		return err
	}
	if err := r.olderRoots(); err != nil {
		return err
	}
	return r.newHandset(at)
}

// olderRoots starts a client from each root before the newest one, and has it
// take the next. It is then where the client after it began.
func (r *rehearsal) olderRoots() error {
	root := func(v int64) []byte { return r.next.bodies[layout.MetadataFile(metadata.ROOT, v)] }
	for v := r.next.Roots - 1; v >= 1; v-- {
		link := rootLink{manifests.SumSHA256(root(v)), manifests.SumSHA256(root(v + 1))}
		if r.walked[link] {
			continue
		}
		err := guarded(func() error {
			set, err := trustedmetadata.New(root(v))
			if err == nil {
				_, err = set.UpdateRoot(root(v + 1))
			}
			return err
		})
		if err != nil {
			return &LockedOut{fmt.Sprintf("a handset that trusts root %d", v), metadata.ROOT, fmt.Errorf("root %d: %w", v+1, err)}
		}
		r.walked[link] = true
	}
	return nil
}

// guarded runs calls of the library, which panics on some shapes.
func guarded(call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the library gave up: %v", p)
		}
	}()
	return call()
}

// submittedAreFresh refuses what has expired before anybody saw it.
func (r *rehearsal) submittedAreFresh() error {
	for role, expires := range r.expiries() {
		if r.changed(role) && !r.now.Before(expires) {
			return &LockedOut{"every handset", role, fmt.Errorf("it expired on %s", manifests.At(expires))}
		}
	}
	return nil
}

// reference is the time by which the clients judge expiry: now, or just before
// the end of a role that stands published and is late. One product whose
// engineers are late must not keep another from being mended.
func (r *rehearsal) reference() time.Time {
	at := r.now
	for role, expires := range r.expiries() {
		if !r.changed(role) && !at.Before(expires) {
			at = expires.Add(-time.Second)
		}
	}
	return at
}

func (r *rehearsal) changed(role string) bool {
	if role == metadata.ROOT {
		return r.next.Roots != r.before.Roots
	}
	return r.next.Versions[role] != r.before.Versions[role]
}

// expiries gives when the newest root and each other role expires. A file that
// cannot be read is left to the clients.
func (r *rehearsal) expiries() map[string]time.Time {
	out := map[string]time.Time{}
	c := Checked{Expire: out, Keys: map[string][]string{}}
	c.add(metadata.ROOT, r.next.bodies[layout.MetadataFile(metadata.ROOT, r.next.Roots)])
	for role := range r.next.Versions {
		c.add(role, r.next.role(role))
	}
	return out
}

// newHandset is go-tuf's own client, which knows the first root alone and walks
// to every role and document.
func (r *rehearsal) newHandset(at time.Time) error {
	role := metadata.ROOT
	err := guarded(func() error { return r.walk(at, &role) })
	if err != nil {
		return &LockedOut{"a new handset", role, err}
	}
	return nil
}

// walk keeps role at what is being read.
func (r *rehearsal) walk(at time.Time, role *string) error {
	u, err := updater.New(&tufconfig.UpdaterConfig{
		MaxRootRotations: maxRotations, MaxDelegations: maxVisited,
		RootMaxLength: maxSmall, TimestampMaxLength: maxSmall, SnapshotMaxLength: maxSmall, TargetsMaxLength: maxSmall,
		Fetcher: r, LocalTrustedRoot: r.next.bodies[layout.MetadataFile(metadata.ROOT, 1)], DisableLocalCache: true,
		LocalMetadataDir: filepath.Join(os.DevNull, "nothing"), LocalTargetsDir: filepath.Join(os.DevNull, "nothing"),
		RemoteMetadataURL: "tree:///" + layout.MetadataDir, RemoteTargetsURL: "tree:///" + layout.TargetsDir, PrefixTargetsWithHash: true,
	})
	if err != nil {
		return err
	}
	u.UnsafeSetRefTime(at)
	if err := u.Refresh(); err != nil {
		*role = blamed(u)
		return err
	}
	*role = metadata.TARGETS
	d := u.GetTrustedMetadataSet().Targets[metadata.TARGETS].Signed.Delegations
	if d == nil {
		return errors.New("it delegates to nobody")
	}
	for _, p := range r.products() {
		*role = layout.ReleasesRole(p)
		if err := r.product(u, p); err != nil {
			return err
		}
	}
	return nil
}

// The bounds of handsets (client/trust).
const (
	maxRotations = 512
	maxVisited   = 64
)

// blamed is the first role that a client did not get to.
func blamed(u *updater.Updater) string {
	set := u.GetTrustedMetadataSet()
	switch {
	case set.Timestamp == nil:
		return "root or timestamp"
	case set.Snapshot == nil:
		return metadata.SNAPSHOT
	}
	return metadata.TARGETS
}

// products are those that any handset knows: published before, or now.
func (r *rehearsal) products() []manifests.Product {
	both := &generation{head: head{Versions: map[string]int64{}}}
	for _, g := range []*generation{r.before, r.next} {
		for role := range g.Versions {
			both.Versions[role] = 1
		}
	}
	return both.products()
}

// product does what a handset of a product does: loads the role of its
// engineers and the rollouts, reads the documents, and holds what is offered
// against what is signed.
func (r *rehearsal) product(u *updater.Updater, p manifests.Product) error {
	// Asking for a build that nobody makes loads the role.
	_, lookErr := u.GetTargetInfo(layout.ReleasePath(p, 1<<52))
	role := u.GetTrustedMetadataSet().Targets[layout.ReleasesRole(p)]
	if role == nil {
		return fmt.Errorf("its releases cannot be reached; is it still delegated? %w", lookErr)
	}
	signed, err := r.next.releases(p)
	if err != nil {
		return err
	}
	for build, ref := range signed {
		release, err := manifests.ParseRelease(r.next.bodies[layout.TargetFile(ref.Path, ref.SHA256)])
		if err != nil {
			return fmt.Errorf("%s: %w", ref.Path, err)
		}
		if release.Product != p || release.Build != build {
			return fmt.Errorf("%s holds build %d of %s", ref.Path, release.Build, release.Product)
		}
		if err := r.next.verifyTarget(ref.Path, role.Signed.Targets[ref.Path]); err != nil {
			return err
		}
	}
	return r.agrees(u, p, signed)
}

// agrees holds the product's rollouts against what its engineers sign.
func (r *rehearsal) agrees(u *updater.Updater, p manifests.Product, signed map[manifests.Build]rollout.Reference) error {
	info, err := u.GetTargetInfo(layout.RolloutsPath(p))
	if err != nil {
		return fmt.Errorf("its rollouts cannot be read: %w", err)
	}
	_, data, err := u.DownloadTarget(info, "", "")
	if err != nil {
		return fmt.Errorf("its rollouts cannot be read: %w", err)
	}
	doc, err := rollout.Parse(data)
	if err != nil {
		return err
	}
	if doc.Product != p {
		return fmt.Errorf("its rollouts are those of %s", doc.Product)
	}
	for i := range doc.Rollouts {
		if one := &doc.Rollouts[i]; one.State.Installable() && one.Release != signed[one.Build] {
			return fmt.Errorf("rollout %s offers build %d with another path, length or hash than its engineers sign", one.ID, one.Build)
		}
	}
	return nil
}

// DownloadFile reads the staged tree; it makes a rehearsal a fetcher of go-tuf.
func (r *rehearsal) DownloadFile(address string, limit int64, _ time.Duration) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	path := strings.TrimPrefix(u.Path, "/")
	data, ok := r.next.bodies[path]
	if path == layout.TimestampFile {
		data, ok = r.next.Timestamp, true
	}
	switch {
	case !ok:
		return nil, &metadata.ErrDownloadHTTP{StatusCode: 404, URL: path}
	case int64(len(data)) > limit:
		return nil, &metadata.ErrDownloadLengthMismatch{Msg: path + " is longer than was signed"}
	}
	return data, nil
}
