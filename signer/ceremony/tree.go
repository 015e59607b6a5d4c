package ceremony

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// maxRoots bounds the chain of roots that is followed.
const maxRoots = 1024

// Load reads the metadata in force from a published tree and verifies it, from
// the root that anchor names down to every release document. Root, timestamp
// and snapshot must not have expired at now: otherwise an old list of releases
// could be shown as the newest. Targets and releases-<product> may have
// expired, since a proposal is what renews them.
func Load(ctx context.Context, src Source, anchor keyring.Anchor, now time.Time) (*State, error) {
	return load(ctx, src, anchor, now, metadata.ROOT, metadata.TIMESTAMP, metadata.SNAPSHOT)
}

// LoadToRenewRoot is Load where the root may have expired as well: a new root is
// what mends that. The service's fresh timestamp still shows that nothing newer
// is held back.
func LoadToRenewRoot(ctx context.Context, src Source, anchor keyring.Anchor, now time.Time) (*State, error) {
	return load(ctx, src, anchor, now, metadata.TIMESTAMP, metadata.SNAPSHOT)
}

func load(ctx context.Context, src Source, anchor keyring.Anchor, now time.Time, fresh ...string) (*State, error) {
	w := &walk{ctx: ctx, src: src, now: now}
	if err := w.run(anchor); err != nil {
		return nil, fmt.Errorf("published metadata: %w", err)
	}
	for _, late := range w.expired {
		if slices.Contains(fresh, late.Subject) {
			return nil, fmt.Errorf("published metadata: %s: %w: %s", late.Subject, ErrExpired, late.Words)
		}
	}
	return w.state(), nil
}

// walk follows the published metadata from the root down.
type walk struct {
	ctx context.Context
	src Source
	now time.Time
	// only narrows the walk to one release and the rollouts; nil walks all.
	only *vote.Ref

	rootFiles    []string
	roots        []*rootMeta
	timestamp    *metadata.Metadata[metadata.TimestampType]
	snapshot     *metadata.Metadata[metadata.SnapshotType]
	targets      *targetsMeta
	targetsFile  string
	roles        map[string]*targetsMeta // delegated, by role
	roleFiles    map[string]string
	documents    map[string]string // by target path
	held         []Finding
	expired      []Finding
	afterRelease func(manifests.Product, *manifests.Release) error // nil, or checks blobs
}

func (w *walk) run(anchor keyring.Anchor) error {
	for _, step := range []func() error{
		func() error { return w.walkRoots(anchor) },
		w.readTimestamp, w.readSnapshot, w.readTopTargets, w.readDelegations,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) root() *rootMeta { return w.roots[len(w.roots)-1] }

func (w *walk) walkRoots(anchor keyring.Anchor) error {
	for v := int64(1); v <= maxRoots; v++ {
		data, err := fetch(w.ctx, w.src, layout.MetadataFile(metadata.ROOT, v), maxRole)
		if errors.Is(err, fs.ErrNotExist) && v > 1 {
			break
		}
		if err != nil {
			return fmt.Errorf("root version %d: %w", v, err)
		}
		root, err := readRoot(data)
		if err != nil {
			return err
		}
		w.roots, w.rootFiles = append(w.roots, root), append(w.rootFiles, string(data))
		if err := verifyNextRoot(w.roots, len(w.roots)-1); err != nil {
			return err
		}
	}
	if anchor.Version > int64(len(w.roots)) {
		return fmt.Errorf("%w: it has root up to version %d, you trust version %d", ErrOtherRoot, len(w.roots), anchor.Version)
	}
	have, err := anchorOf(w.roots[anchor.Version-1])
	if err != nil {
		return err
	}
	if !have.Same(anchor) {
		return fmt.Errorf("%w (root version %d)", ErrOtherRoot, anchor.Version)
	}
	s := w.root().Signed
	if err := lintRoot(w.root()); err != nil {
		return err
	}
	w.hold(metadata.ROOT, s.Version, s.Expires, "descends from the root that you trust; %s", signers(w.root(), metadata.ROOT))
	return nil
}

func (w *walk) readTimestamp() error {
	data, err := fetch(w.ctx, w.src, layout.TimestampFile, maxRole)
	if err != nil {
		return fmt.Errorf("timestamp: %w", err)
	}
	m, err := readExactly(data, func(b []byte) (*metadata.Metadata[metadata.TimestampType], error) {
		return metadata.Timestamp().FromBytes(b)
	})
	if err != nil {
		return fmt.Errorf("timestamp: %w", err)
	}
	if err := w.root().VerifyDelegate(metadata.TIMESTAMP, m); err != nil {
		return fmt.Errorf("timestamp: %w", err)
	}
	if m.Signed.Meta["snapshot.json"] == nil {
		return errors.New("timestamp: does not name a snapshot")
	}
	w.timestamp = m
	w.hold(metadata.TIMESTAMP, m.Signed.Version, m.Signed.Expires, "signed by the service")
	return nil
}

func (w *walk) readSnapshot() error {
	want := w.timestamp.Signed.Meta["snapshot.json"]
	data, err := w.fetchMeta(metadata.SNAPSHOT, want)
	if err != nil {
		return err
	}
	m, err := readExactly(data, func(b []byte) (*metadata.Metadata[metadata.SnapshotType], error) {
		return metadata.Snapshot().FromBytes(b)
	})
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	if err := w.root().VerifyDelegate(metadata.SNAPSHOT, m); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	if m.Signed.Version != want.Version {
		return fmt.Errorf("snapshot: version %d, timestamp names %d", m.Signed.Version, want.Version)
	}
	w.snapshot = m
	w.hold(metadata.SNAPSHOT, m.Signed.Version, m.Signed.Expires, "signed by the service")
	return nil
}

func (w *walk) readTopTargets() error {
	m, data, err := w.readRole(metadata.TARGETS)
	if err != nil {
		return err
	}
	if err := w.root().VerifyDelegate(metadata.TARGETS, m); err != nil {
		return fmt.Errorf("targets: %w", err)
	}
	if err := lintTargets(w.root(), m); err != nil {
		return err
	}
	w.targets, w.targetsFile = m, string(data)
	w.hold(metadata.TARGETS, m.Signed.Version, m.Signed.Expires, "%s; it delegates to %d roles and lists no file",
		signers(w.root(), metadata.TARGETS), len(m.Signed.Delegations.Roles))
	return nil
}

func (w *walk) readDelegations() error {
	w.roles, w.roleFiles, w.documents = map[string]*targetsMeta{}, map[string]string{}, map[string]string{}
	for _, d := range w.targets.Signed.Delegations.Roles {
		if w.only != nil && d.Name != layout.RolloutsRole && d.Name != layout.ReleasesRole(w.only.Product) {
			continue
		}
		if w.snapshot.Signed.Meta[d.Name+".json"] == nil && d.Name == layout.RolloutsRole {
			continue // a service that has published no rollout yet
		}
		m, data, err := w.readRole(d.Name)
		if err != nil {
			return err
		}
		if err := w.targets.VerifyDelegate(d.Name, m); err != nil {
			return fmt.Errorf("%s: %w", d.Name, err)
		}
		w.roles[d.Name], w.roleFiles[d.Name] = m, string(data)
		if d.Name == layout.RolloutsRole {
			w.hold(d.Name, m.Signed.Version, m.Signed.Expires, "signed by the service; %d rollouts", len(m.Signed.Targets))
			continue
		}
		if err := w.readProduct(d.Name, m); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) readProduct(role string, m *targetsMeta) error {
	product, err := productOf(role)
	if err != nil {
		return err
	}
	if err := lintReleases(product, m); err != nil {
		return err
	}
	word, err := nextBy(role, m)
	if err != nil {
		return err
	}
	t, err := delegatedRole(w.targets, role)
	if err != nil {
		return err
	}
	w.hold(role, m.Signed.Version, m.Signed.Expires, "signed by %d of %s; %d live releases; next word promised by %s",
		t.threshold, joinNames(t.people()), len(m.Signed.Targets), word.Format(time.DateOnly))
	for path, target := range m.Signed.Targets {
		if w.only != nil && path != layout.ReleasePath(w.only.Product, w.only.Build) {
			continue
		}
		body, err := fetch(w.ctx, w.src, layout.TargetFile(path, manifests.SHA256(target.Hashes["sha256"])), target.Length)
		if err != nil {
			return fmt.Errorf("document %s: %w", path, err)
		}
		release, err := readDocument(product, m, Document{Path: path, Body: string(body)})
		if err != nil {
			return err
		}
		w.documents[path] = string(body)
		if w.afterRelease != nil {
			if err := w.afterRelease(product, &release); err != nil {
				return err
			}
		}
	}
	return nil
}

// readRole reads a targets file of the version and hash that snapshot names.
func (w *walk) readRole(role string) (*targetsMeta, []byte, error) {
	want := w.snapshot.Signed.Meta[role+".json"]
	if want == nil {
		return nil, nil, fmt.Errorf("%s: snapshot does not name it", role)
	}
	data, err := w.fetchMeta(role, want)
	if err != nil {
		return nil, nil, err
	}
	m, err := readTargets(role, data)
	if err != nil {
		return nil, nil, err
	}
	if m.Signed.Version != want.Version {
		return nil, nil, fmt.Errorf("%s: version %d, snapshot names %d", role, m.Signed.Version, want.Version)
	}
	return m, data, nil
}

func (w *walk) fetchMeta(role string, want *metadata.MetaFiles) ([]byte, error) {
	data, err := fetch(w.ctx, w.src, layout.MetadataFile(role, want.Version), maxRole)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", role, err)
	}
	if err := want.VerifyLengthHashes(data); err != nil {
		return nil, fmt.Errorf("%s: %w", role, err)
	}
	return data, nil
}

// hold notes a role whose signatures hold, and separately that it has expired.
func (w *walk) hold(role string, version int64, expires time.Time, format string, args ...any) {
	words := fmt.Sprintf("version %d, until %s; ", version, expires.Format(time.DateTime)) + fmt.Sprintf(format, args...)
	if w.now.After(expires) {
		w.expired = append(w.expired, Finding{Subject: role, Words: fmt.Sprintf("expired on %s; it has to be signed again", expires.Format(time.DateTime))})
	}
	w.held = append(w.held, Finding{Subject: role, Holds: true, Words: words})
}

func signers(root *rootMeta, role string) string {
	t, err := rootRole(root, role)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("signed by %d of %s", t.threshold, joinNames(t.people()))
}

func (w *walk) state() *State {
	s := &State{
		root: w.root(), targets: w.targets, releases: map[manifests.Product]*targetsMeta{},
		rootFiles: w.rootFiles, targetsFile: w.targetsFile,
		releaseFiles: map[manifests.Product]string{}, documents: w.documents,
	}
	for role, m := range w.roles {
		if product, err := productOf(role); err == nil {
			s.releases[product] = m
			s.releaseFiles[product] = w.roleFiles[role]
		}
	}
	return s
}
