package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/strict"
	"github.com/candor-ota/candor/server/store"
)

// How long the online roles live, and when they are signed anew.
const (
	rolloutsLife = 7 * 24 * time.Hour
	snapshotLife = 7 * 24 * time.Hour
	roleRenewal  = 3 * 24 * time.Hour
	// TimestampLife is how long a handset that sees nothing newer believes the
	// last word.
	TimestampLife  = 48 * time.Hour
	timestampRenew = 6 * time.Hour
)

// Blob is what publishing does with immutable objects.
type Blob interface {
	Put(ctx context.Context, o store.Object, body io.Reader) error
	Open(ctx context.Context, key string) (io.ReadSeekCloser, store.Info, error)
	Delete(ctx context.Context, key string) error
}

// step is one publish under way.
type step struct {
	*Publisher
	lease store.Lease
	next  *generation
	now   time.Time
	all   bool // sign every online role
	keys  Keys // the set that the root to be published names
}

// advance moves the tree to its next state, if there is anything to move. On
// an error the state is loaded anew before it is used again.
func (p *Publisher) advance(ctx context.Context, lease store.Lease, n *noted) (err error) {
	s := &step{Publisher: p, lease: lease, next: p.current.clone(), now: p.now().UTC().Truncate(time.Second), all: n != nil}
	if n != nil {
		if err := s.take(ctx, n); err != nil {
			return err
		}
	}
	if s.next.Roots == 0 || s.next.role(metadata.TARGETS) == nil {
		return ErrNotConfigured
	}
	if err := s.choose(); err != nil {
		return err
	}
	changed, err := s.signRollouts(ctx)
	if err != nil {
		return err
	}
	if changed, err = s.signSnapshot(ctx, changed); err != nil {
		return err
	}
	if !changed && !due(issuedOf(p.current.Timestamp), timestampRenew, s.now) {
		return nil
	}
	return s.commit(ctx)
}

// choose takes the set of keys that the tree to be published names. Numbers go
// on as they were under another set: handsets forget with a set's keys whatever
// a thief of them has made them see.
func (s *step) choose() error {
	listed, err := s.next.listed()
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if s.keys, err = s.Publisher.keys.For(listed); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	s.Publisher.keys = s.keys
	return nil
}

// take puts the files of a submission.
func (s *step) take(ctx context.Context, n *noted) error {
	for path, data := range n.Targets {
		if err := s.put(ctx, layout.TargetFile(path, manifests.SumSHA256(data)), data); err != nil {
			return err
		}
	}
	for name, data := range n.Metadata {
		role, version, err := roleOf(name)
		if err != nil {
			return err
		}
		if err := s.put(ctx, layout.MetadataDir+"/"+name, data); err != nil {
			return err
		}
		if role == metadata.ROOT {
			s.next.Roots = max(s.next.Roots, version)
		} else {
			s.next.Versions[role] = max(s.next.Versions[role], version)
		}
	}
	s.next.Submission = n.version
	return s.archive(ctx)
}

func (s *step) put(ctx context.Context, path string, data []byte) error {
	o := store.Object{Key: path, Size: int64(len(data)), SHA256: manifests.SumSHA256(data)}
	if err := s.blobs.Put(ctx, o, bytes.NewReader(data)); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	s.next.add(path, data)
	return nil
}

// putVersion puts a role under a number that the ledger reserved. A name that
// exists with other bytes burns its number.
func (s *step) putVersion(ctx context.Context, role string, make func(version int64) ([]byte, error)) error {
	const attempts = 16
	for range attempts {
		v, err := s.ledger.ReserveVersion(ctx, s.lease, role, s.next.Versions[role]+1)
		if err != nil {
			return fmt.Errorf("publish %s: %w", role, err)
		}
		data, err := make(v)
		if err != nil {
			return err
		}
		err = s.put(ctx, layout.MetadataFile(role, v), data)
		if errors.Is(err, store.ErrExists) {
			s.log.Warn("a version number is burnt: its file exists with other bytes", "role", role, "version", v)
			continue
		}
		if err != nil {
			return err
		}
		s.next.Versions[role] = v
		return nil
	}
	return fmt.Errorf("publish %s: %d numbers in a row exist with other bytes; somebody else writes to this store", role, attempts)
}

// signRollouts brings the documents up to date with the ledger.
func (s *step) signRollouts(ctx context.Context) (bool, error) {
	changed := s.all || s.next.role(layout.RolloutsRole) == nil || s.next.Ahead > 0
	for _, p := range s.next.products() {
		moved, err := s.document(ctx, p)
		if err != nil {
			return false, err
		}
		changed = changed || moved
	}
	s.next.Ahead = 0
	if !changed {
		m, err := metadata.Targets().FromBytes(s.next.role(layout.RolloutsRole))
		if err != nil {
			return false, fmt.Errorf("publish rollouts: %w", err)
		}
		changed = due(m.Signed.Expires.Add(-rolloutsLife), roleRenewal, s.now)
	}
	if !changed {
		return false, nil
	}
	return true, s.putVersion(ctx, layout.RolloutsRole, s.rolloutsRole)
}

func (s *step) rolloutsRole(version int64) ([]byte, error) {
	m := metadata.Targets(s.now.Add(rolloutsLife))
	m.Signed.Version = version
	for p, hash := range s.next.Rollouts {
		f := s.next.Files[layout.TargetFile(layout.RolloutsPath(p), hash)]
		m.Signed.Targets[layout.RolloutsPath(p)] = &metadata.TargetFiles{Length: f.Size, Hashes: metadata.Hashes{"sha256": hash[:]}}
	}
	return sign(s.keys, layout.RolloutsRole, m)
}

// document makes the next document of a product, chained to the one before, if
// anything in it differs.
func (s *step) document(ctx context.Context, p manifests.Product) (bool, error) {
	signed, err := s.next.releases(p)
	if err != nil {
		return false, err
	}
	list, err := s.rollouts.Rollouts(ctx, p, signed)
	if err != nil {
		return false, fmt.Errorf("publish rollouts of %s: %w", p, err)
	}
	if list == nil {
		list = []rollout.Rollout{}
	}
	doc := rollout.Document{Spec: rollout.Spec, Product: p, Counter: 1, Rollouts: list}
	if hash, ok := s.next.Rollouts[p]; ok {
		before, err := rollout.Parse(s.next.bodies[layout.TargetFile(layout.RolloutsPath(p), hash)])
		if err != nil {
			return false, fmt.Errorf("publish rollouts of %s: the document before: %w", p, err)
		}
		same, err := equal(before.Rollouts, list)
		if err != nil || same && s.next.Ahead == 0 {
			return false, err
		}
		doc.Counter, doc.Prev = before.Counter+1+s.next.Ahead, &hash
	}
	data, err := doc.Canonical()
	if err != nil {
		return false, fmt.Errorf("publish rollouts of %s: %w", p, err)
	}
	if _, err := rollout.Parse(data); err != nil {
		return false, fmt.Errorf("publish rollouts of %s: %w", p, err)
	}
	hash := manifests.SumSHA256(data)
	s.next.Rollouts[p] = hash
	return true, s.put(ctx, layout.TargetFile(layout.RolloutsPath(p), hash), data)
}

func equal(a, b []rollout.Rollout) (bool, error) {
	x, err := strict.Canonical(a)
	if err != nil {
		return false, err
	}
	y, err := strict.Canonical(b)
	return bytes.Equal(x, y), err
}

func (s *step) signSnapshot(ctx context.Context, changed bool) (bool, error) {
	if old := s.next.role(metadata.SNAPSHOT); !changed && old != nil {
		m, err := metadata.Snapshot().FromBytes(old)
		if err != nil {
			return false, fmt.Errorf("publish snapshot: %w", err)
		}
		if !due(m.Signed.Expires.Add(-snapshotLife), roleRenewal, s.now) {
			return false, nil
		}
	}
	return true, s.putVersion(ctx, metadata.SNAPSHOT, func(version int64) ([]byte, error) {
		m := metadata.Snapshot(s.now.Add(snapshotLife))
		m.Signed.Version = version
		m.Signed.Meta = map[string]*metadata.MetaFiles{}
		for role := range s.next.Versions {
			if role != metadata.SNAPSHOT && role != metadata.TIMESTAMP {
				m.Signed.Meta[role+".json"] = s.meta(role)
			}
		}
		return sign(s.keys, metadata.SNAPSHOT, m)
	})
}

func (s *step) meta(role string) *metadata.MetaFiles {
	v := s.next.Versions[role]
	f := s.next.Files[layout.MetadataFile(role, v)]
	return &metadata.MetaFiles{Version: v, Length: f.Size, Hashes: metadata.Hashes{"sha256": f.SHA256[:]}}
}

// signTimestamp signs the last word over the next generation.
func (s *step) signTimestamp(ctx context.Context) error {
	v, err := s.ledger.ReserveVersion(ctx, s.lease, metadata.TIMESTAMP, s.next.Versions[metadata.TIMESTAMP]+1)
	if err != nil {
		return fmt.Errorf("publish timestamp: %w", err)
	}
	m := metadata.Timestamp(s.now.Add(TimestampLife))
	m.Signed.Version = v
	m.Signed.Meta = map[string]*metadata.MetaFiles{"snapshot.json": s.meta(metadata.SNAPSHOT)}
	m.Signed.UnrecognizedFields = map[string]any{layout.FieldIssued: manifests.At(s.now).String()}
	if s.next.Timestamp, err = sign(s.keys, metadata.TIMESTAMP, m); err != nil {
		return err
	}
	s.next.Versions[metadata.TIMESTAMP] = v
	return nil
}

// commit signs the timestamp, verifies everything as a handset would, moves
// the head in the ledger and only then what readers see.
func (s *step) commit(ctx context.Context) error {
	if err := s.signTimestamp(ctx); err != nil {
		return err
	}
	if err := s.next.retire(s.now); err != nil {
		return err
	}
	gone := s.next.overdue(s.now)
	if err := s.next.verify(); err != nil {
		return fmt.Errorf("publish: what was made does not verify, so it is not published: %w", err)
	}
	// Expiry is not judged here: what is late is not put right by publishing nothing.
	if err := (&rehearsal{before: s.current, next: s.next}).inPlace(time.Time{}); err != nil {
		return fmt.Errorf("publish: what was made is not published: %w", err)
	}
	document, err := json.Marshal(s.next.head)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	h := store.Head{Name: treeHead, Version: s.next.number, ETag: store.ETag(layout.ETag(s.next.Timestamp)), Document: document, Updated: s.now}
	old := s.current.number
	s.current = nil // until it is known what the ledger holds
	if err := s.ledger.SetHead(ctx, s.lease, old, h); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if err := s.serve(ctx, s.next); err != nil {
		return err
	}
	s.collect(ctx, gone)
	return nil
}

// serve makes a generation that the ledger holds the one that readers see: in
// the store first, then in memory. It may be repeated, and done by several
// processes at once. With errGoneOn neither was done.
func (p *Publisher) serve(ctx context.Context, g *generation) error {
	if g.number > 0 {
		if err := p.stand(ctx, g); err != nil {
			return fmt.Errorf("publish timestamp: %w", err)
		}
		p.show(g)
	}
	p.current = g
	return nil
}

// adopt serves a generation that was loaded from the ledger. Where another
// process goes on as fast as this one loads, it must not wait for a calm: what
// it has was published and may be shown, the store is the other's to see to,
// and the next look at the ledger finds what is newer.
func (p *Publisher) adopt(ctx context.Context, g *generation) error {
	err := p.serve(ctx, g)
	if !errors.Is(err, errGoneOn) {
		return err
	}
	p.show(g)
	p.current = g
	return nil
}

// errGoneOn means that the ledger holds something newer.
var errGoneOn = fmt.Errorf("another process has gone on: %w", store.ErrStale)

// stand puts a generation's timestamp into the store, unless it stands there.
// The version of what stands in the store is read before the ledger's head is,
// so that whoever was paused in between replaces nothing newer; whoever loses
// to another's write looks again.
func (p *Publisher) stand(ctx context.Context, g *generation) error {
	for try := 1; ; try++ {
		stands, tag, err := p.blobs.Load(ctx, layout.TimestampFile)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		h, err := p.ledger.Head(ctx, treeHead)
		if err != nil {
			return err
		}
		if h.Version < g.number {
			return fmt.Errorf("%w: from %d to %d", errBack, g.number, h.Version)
		}
		if h.Version > g.number {
			return errGoneOn
		}
		if bytes.Equal(stands, g.Timestamp) {
			return nil
		}
		if _, err = p.blobs.Replace(ctx, layout.TimestampFile, g.Timestamp, tag); !errors.Is(err, store.ErrStale) || try == tries {
			return err
		}
	}
}

// collect removes files whose time has come. What stays because of an error is
// only space.
func (p *Publisher) collect(ctx context.Context, gone []string) {
	for _, path := range gone {
		if err := p.blobs.Delete(ctx, path); err != nil {
			p.log.Warn("a retired file could not be removed", "file", path, "error", err)
		}
	}
}

func due(issued time.Time, life time.Duration, now time.Time) bool { return now.Sub(issued) >= life }

// issuedOf reads when one of our own timestamps was made.
func issuedOf(data []byte) time.Time {
	m, err := metadata.Timestamp().FromBytes(data)
	if err != nil {
		return time.Time{}
	}
	return m.Signed.Expires.Add(-TimestampLife)
}
