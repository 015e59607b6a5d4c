package ceremony

import (
	"encoding/hex"
	"fmt"
	"path"
	"slices"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Submission is what a finished proposal adds to the published tree.
type Submission struct {
	Metadata map[string][]byte // by file name, for example "2.targets.json"
	Targets  map[string][]byte // by target path, for example "releases/phone/43.json"
}

// Submission gives the signed files. A proposal that is not Complete is
// refused. Each file is verified once more, by the library that handsets use.
func (p *Proposal) Submission() (*Submission, error) {
	if err := p.Complete(); err != nil {
		return nil, err
	}
	s := &Submission{Metadata: map[string][]byte{}, Targets: map[string][]byte{}}
	for i, r := range p.view.roles {
		data, err := p.signedFile(i)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.name, err)
		}
		s.Metadata[fileName(r.name, r.version)] = data
	}
	for _, d := range p.Documents {
		s.Targets[d.Path] = []byte(d.Body)
	}
	return s, nil
}

// fileName is the name of a metadata file without its directory.
func fileName(role string, version int64) string {
	return path.Base(layout.MetadataFile(role, version))
}

// signedFile is role i with its signatures, as it will be published.
func (p *Proposal) signedFile(i int) ([]byte, error) {
	sigs := []metadata.Signature{}
	for _, s := range p.Roles[i].Signatures {
		raw, err := hex.DecodeString(s.Sig)
		if err != nil {
			return nil, fmt.Errorf("signature of key %s: %w", short(s.KeyID), err)
		}
		sigs = append(sigs, metadata.Signature{KeyID: s.KeyID, Signature: raw})
	}
	switch name := p.Roles[i].Name; name {
	case metadata.ROOT:
		root := *p.view.root
		root.Signatures = sigs
		if err := verifyNextRoot(append(slices.Clip(p.view.roots), &root), len(p.view.roots)); err != nil {
			return nil, err
		}
		return root.ToBytes(false)
	case metadata.TARGETS:
		targets := *p.view.targets
		targets.Signatures = sigs
		if err := p.view.root.VerifyDelegate(name, &targets); err != nil {
			return nil, err
		}
		return targets.ToBytes(false)
	default:
		releases := *p.view.releases
		releases.Signatures = sigs
		if err := p.view.targets.VerifyDelegate(name, &releases); err != nil {
			return nil, err
		}
		return releases.ToBytes(false)
	}
}

// Release is the release that a proposal of kind release adds, else nil.
func (p *Proposal) Release() *manifests.Release { return p.view.release }
