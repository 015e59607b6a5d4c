package ceremony

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// view is a proposal as understood after every check.
type view struct {
	hash         string
	roots        []*rootMeta // of the base
	baseTargets  *targetsMeta
	baseReleases *targetsMeta
	root         *rootMeta    // in force once the proposal is published
	targets      *targetsMeta // likewise
	releases     *targetsMeta // likewise, nil where no product is concerned
	roles        []*roleView
	adopts       bool                // the base is a chain of another tool's roots
	before       []manifests.Release // live releases of the base, oldest first
	release      *manifests.Release  // the one that is added
}

// roleView is one role that is to be signed.
type roleView struct {
	name    string
	version int64
	expires time.Time
	payload []byte      // what a signature covers
	tables  []roleTable // each threshold must be met, see findTables
}

// check fills p.view or says what is wrong. It asks no question of trust: see
// TrustedBy for that.
func (p *Proposal) check() error {
	v := &view{adopts: p.Kind == KindAdopt}
	if err := p.Check(); err != nil {
		return err
	}
	if err := v.readBase(p); err != nil {
		return fmt.Errorf("base: %w", err)
	}
	if err := v.readRoles(p); err != nil {
		return err
	}
	if err := lintRoot(v.root); err != nil {
		return err
	}
	if err := lintTargets(v.root, v.targets); err != nil {
		return err
	}
	if err := v.checkChange(p); err != nil {
		return err
	}
	if err := v.readDocuments(p); err != nil {
		return err
	}
	if err := v.findTables(); err != nil {
		return err
	}
	var err error
	if v.hash, err = p.Proposal.Hash(); err != nil {
		return err
	}
	if err := p.CheckWords(v.ballots()); err != nil {
		return err
	}
	p.view = v
	return nil
}

func (v *view) readBase(p *Proposal) error {
	for i, text := range p.Base.Roots {
		root, err := readRoot([]byte(text))
		if err != nil {
			return err
		}
		v.roots = append(v.roots, root)
		if err := verifyNextRoot(v.roots, i); err != nil {
			return err
		}
		v.root = root
	}
	if p.Kind == KindInit {
		if len(p.Base.Roots) != 0 || p.Base.Targets != "" || p.Base.Releases != "" || len(p.Base.Documents) != 0 {
			return errors.New("init replaces nothing, yet the base is not empty")
		}
		return nil
	}
	if v.root == nil {
		return errors.New("no root; the proposal was not made from published metadata")
	}
	if p.Kind == KindAdopt {
		if p.Base.Targets != "" || p.Base.Releases != "" || len(p.Base.Documents) != 0 {
			return errors.New("adopting takes over a chain of roots, yet the base holds more")
		}
		return nil
	}
	var err error
	if v.baseTargets, err = readTargets(metadata.TARGETS, []byte(p.Base.Targets)); err != nil {
		return err
	}
	if err := v.root.VerifyDelegate(metadata.TARGETS, v.baseTargets); err != nil {
		return fmt.Errorf("targets: %w", err)
	}
	v.targets = v.baseTargets
	return v.readBaseReleases(p)
}

// verifyNextRoot checks root i of a chain against the one before it and itself.
func verifyNextRoot(chain []*rootMeta, i int) error {
	root := chain[i]
	if root.Signed.Version != int64(i)+1 {
		return fmt.Errorf("root: version %d in place %d of the chain", root.Signed.Version, i+1)
	}
	if i > 0 {
		if err := chain[i-1].VerifyDelegate(metadata.ROOT, root); err != nil {
			return fmt.Errorf("root version %d, by the keys of version %d: %w", i+1, i, err)
		}
	}
	if err := root.VerifyDelegate(metadata.ROOT, root); err != nil {
		return fmt.Errorf("root version %d, by its own keys: %w", i+1, err)
	}
	return nil
}

func (v *view) readBaseReleases(p *Proposal) error {
	if p.Base.Releases == "" {
		if len(p.Base.Documents) != 0 {
			return errors.New("release documents without the role that signs them")
		}
		return nil
	}
	role := layout.ReleasesRole(p.Product)
	meta, err := readTargets(role, []byte(p.Base.Releases))
	if err != nil {
		return err
	}
	if err := v.baseTargets.VerifyDelegate(role, meta); err != nil {
		return fmt.Errorf("%s: %w", role, err)
	}
	if err := lintReleases(p.Product, meta); err != nil {
		return err
	}
	v.baseReleases = meta
	if len(meta.Signed.Targets) != len(p.Base.Documents) {
		return fmt.Errorf("%s lists %d releases, the proposal carries %d documents", role, len(meta.Signed.Targets), len(p.Base.Documents))
	}
	seen := map[string]bool{}
	for _, d := range p.Base.Documents {
		if seen[d.Path] {
			return fmt.Errorf("document %s: given twice", d.Path)
		}
		seen[d.Path] = true
		release, err := readDocument(p.Product, meta, d)
		if err != nil {
			return err
		}
		v.before = append(v.before, release)
	}
	slices.SortFunc(v.before, func(a, b manifests.Release) int { return cmp.Compare(a.Build, b.Build) })
	return nil
}

// readDocument parses a release document and compares it with what meta signs.
func readDocument(product manifests.Product, meta *targetsMeta, d Document) (manifests.Release, error) {
	target, ok := meta.Signed.Targets[d.Path]
	if !ok {
		return manifests.Release{}, fmt.Errorf("document %s: not signed by %s", d.Path, layout.ReleasesRole(product))
	}
	if err := target.VerifyLengthHashes([]byte(d.Body)); err != nil {
		return manifests.Release{}, fmt.Errorf("document %s: %w", d.Path, err)
	}
	release, err := manifests.ParseRelease([]byte(d.Body))
	if err != nil {
		return manifests.Release{}, fmt.Errorf("document %s: %w", d.Path, err)
	}
	if release.Product != product || layout.ReleasePath(product, release.Build) != d.Path {
		return manifests.Release{}, fmt.Errorf("document %s: says that it is %s build %d", d.Path, release.Product, release.Build)
	}
	return *release, nil
}

// readRoles parses what is to be signed and files it under the role in force.
// That these are the roles of the kind was checked by package event.
func (v *view) readRoles(p *Proposal) error {
	v.releases = v.baseReleases
	for _, r := range p.Roles {
		if err := v.readRole(p, r); err != nil {
			return err
		}
	}
	if v.root == nil || v.targets == nil {
		return errors.New("root or targets is missing")
	}
	return nil
}

func (v *view) readRole(p *Proposal, r Role) error {
	file := []byte(`{"signatures":[],"signed":` + r.Signed + `}`)
	rv := &roleView{name: r.Name}
	var signed any
	if r.Name == metadata.ROOT {
		m, err := readRoot(file)
		if err != nil {
			return err
		}
		v.root, signed = m, m.Signed
		rv.version, rv.expires = m.Signed.Version, m.Signed.Expires
	} else {
		m, err := readTargets(r.Name, file)
		if err != nil {
			return err
		}
		if r.Name == metadata.TARGETS {
			v.targets = m
		} else if v.releases = m; true {
			if err := lintReleases(p.Product, m); err != nil {
				return err
			}
		}
		signed = m.Signed
		rv.version, rv.expires = m.Signed.Version, m.Signed.Expires
	}
	var err error
	rv.payload, err = payload(signed)
	v.roles = append(v.roles, rv)
	return err
}
