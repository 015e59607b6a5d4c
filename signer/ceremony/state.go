package ceremony

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/strict"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// State is the offline metadata that is in force, verified from a root. A new
// proposal builds on it. Load reads it from a published tree, FromProposal
// takes it from a finished proposal that is not published yet.
type State struct {
	root     *rootMeta
	targets  *targetsMeta
	releases map[manifests.Product]*targetsMeta

	rootFiles    []string // version 1 up
	targetsFile  string
	releaseFiles map[manifests.Product]string
	documents    map[string]string // by path
}

// Products lists the products that have a role, sorted.
func (s *State) Products() []manifests.Product { return slices.Sorted(maps.Keys(s.releases)) }

// Releases gives the live releases of a product, lowest build first.
func (s *State) Releases(product manifests.Product) ([]manifests.Release, error) {
	meta, ok := s.releases[product]
	if !ok {
		return nil, fmt.Errorf("%s: not published", layout.ReleasesRole(product))
	}
	live := []manifests.Release{}
	for path := range meta.Signed.Targets {
		r, err := readDocument(product, meta, Document{Path: path, Body: s.documents[path]})
		if err != nil {
			return nil, err
		}
		live = append(live, r)
	}
	slices.SortFunc(live, func(a, b manifests.Release) int { return cmp.Compare(a.Build, b.Build) })
	return live, nil
}

// Anchor names the newest root of the state.
func (s *State) Anchor() (keyring.Anchor, error) { return anchorOf(s.root) }

// base is what a proposal about a product (or about none) carries along.
func (s *State) base(product manifests.Product) Base {
	b := Base{Roots: s.rootFiles, Targets: s.targetsFile, Documents: []Document{}}
	meta, ok := s.releases[product]
	if product == "" || !ok {
		return b
	}
	b.Releases = s.releaseFiles[product]
	for _, path := range slices.Sorted(maps.Keys(meta.Signed.Targets)) {
		b.Documents = append(b.Documents, Document{Path: path, Body: s.documents[path]})
	}
	return b
}

// FromProposal is the state once p is published. It knows the product of p
// only: a proposal about another product has to start from its own.
func FromProposal(p *Proposal) (*State, error) {
	done, err := p.Submission()
	if err != nil {
		return nil, err
	}
	s := &State{
		root: p.view.root, targets: p.view.targets, releases: map[manifests.Product]*targetsMeta{},
		rootFiles: slices.Clone(p.Base.Roots), targetsFile: p.Base.Targets,
		releaseFiles: map[manifests.Product]string{}, documents: map[string]string{},
	}
	if p.view.releases != nil {
		s.releases[p.Product] = p.view.releases
		s.releaseFiles[p.Product] = p.Base.Releases
	}
	for _, r := range p.view.roles {
		file := string(done.Metadata[fileName(r.name, r.version)])
		switch r.name {
		case metadata.ROOT:
			s.rootFiles = append(s.rootFiles, file)
		case metadata.TARGETS:
			s.targetsFile = file
		default:
			s.releaseFiles[p.Product] = file
		}
	}
	for _, d := range slices.Concat(p.Base.Documents, p.Documents) {
		s.documents[d.Path] = d.Body
	}
	return s, s.reparse()
}

// reparse replaces metadata without signatures by what the files say.
func (s *State) reparse() error {
	root, err := readRoot([]byte(s.rootFiles[len(s.rootFiles)-1]))
	if err != nil {
		return err
	}
	targets, err := readTargets(metadata.TARGETS, []byte(s.targetsFile))
	if err != nil {
		return err
	}
	s.root, s.targets = root, targets
	for product, file := range s.releaseFiles {
		if s.releases[product], err = readTargets(layout.ReleasesRole(product), []byte(file)); err != nil {
			return err
		}
	}
	return nil
}

// pathsOf is the one pattern of target paths that a delegated role answers for.
func pathsOf(role string) (string, error) {
	if role == layout.RolloutsRole {
		return layout.RolloutsPattern, nil
	}
	product, err := productOf(role)
	if err != nil {
		return "", err
	}
	return layout.ReleasesPattern(product), nil
}

// productOf is the product of a releases-<product> role.
func productOf(role string) (manifests.Product, error) {
	product, ok := layout.ReleasesRoleProduct(role)
	if !ok {
		return "", fmt.Errorf("role %q: only %s and %s are delegated", role, layout.RolloutsRole, layout.ReleasesRole("PRODUCT"))
	}
	return product, nil
}

// signedText is the JSON text that a proposal keeps of what is signed.
func signedText(signed any) (string, error) {
	data, err := strict.Canonical(signed)
	if err != nil {
		return "", err
	}
	if len(data) > maxRole {
		return "", errors.New("too large to be verified quickly by handsets")
	}
	return string(data), nil
}

func joinNames(names []string) string {
	if len(names) == 0 {
		return "nobody"
	}
	return strings.Join(names, ", ")
}
