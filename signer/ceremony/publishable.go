package ceremony

import (
	"fmt"
	"path"
	"slices"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/event"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Submission is what a finished proposal adds to the published tree.
type Submission = event.Files

// Submission gives the signed files. A proposal that is not Complete is
// refused. Each file is verified once more, by the library that handsets use.
func (p *Proposal) Submission() (*Submission, error) {
	if err := p.Complete(); err != nil {
		return nil, err
	}
	files, err := p.Files()
	if err != nil {
		return nil, err
	}
	for _, r := range p.view.roles {
		if err := p.verifyFile(r.name, files.Metadata[fileName(r.name, r.version)]); err != nil {
			return nil, fmt.Errorf("%s: %w", r.name, err)
		}
	}
	return &files, p.rehearse(&files)
}

// fileName is the name of a metadata file without its directory.
func fileName(role string, version int64) string {
	return path.Base(layout.MetadataFile(role, version))
}

// verifyFile checks a role as it will be published.
func (p *Proposal) verifyFile(name string, data []byte) error {
	if name == metadata.ROOT {
		root, err := readRoot(data)
		if err != nil {
			return err
		}
		return verifyNextRoot(append(slices.Clip(p.view.roots), root), len(p.view.roots))
	}
	m, err := readTargets(name, data)
	if err != nil {
		return err
	}
	if name == metadata.TARGETS {
		return p.view.root.VerifyDelegate(name, m)
	}
	return p.view.targets.VerifyDelegate(name, m)
}

// Release is the release that a proposal of kind release adds, else nil.
func (p *Proposal) Release() *manifests.Release { return p.view.release }
