package event

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/strict"
)

// Files are what a finished proposal adds to the published tree.
type Files struct {
	Metadata map[string][]byte // by file name, for example "2.targets.json"
	Targets  map[string][]byte // by target path, for example "releases/phone/43.json"
}

// Files writes the signed files. Signer and server write the same bytes, so
// that publishing twice is publishing once. It does not count signatures.
func (p *Proposal) Files() (Files, error) {
	out := Files{Metadata: map[string][]byte{}, Targets: map[string][]byte{}}
	for _, r := range p.Roles {
		h, err := r.Head()
		if err != nil {
			return Files{}, err
		}
		file := struct {
			Signatures []Signature     `json:"signatures"`
			Signed     json.RawMessage `json:"signed"`
		}{slices.Clone(r.Signatures), json.RawMessage(r.Signed)}
		slices.SortFunc(file.Signatures, func(a, b Signature) int { return strings.Compare(a.KeyID, b.KeyID) })
		data, err := strict.Canonical(file)
		if err != nil {
			return Files{}, fmt.Errorf("%s: %w", r.Name, err)
		}
		out.Metadata[path.Base(layout.MetadataFile(r.Name, h.Version))] = data
	}
	for _, d := range p.Documents {
		out.Targets[d.Path] = []byte(d.Body)
	}
	if p.Kind == RootAdopt { // nothing of the old chain is published here yet
		for i, root := range p.Base.Roots {
			out.Metadata[path.Base(layout.MetadataFile(RoleRoot, int64(i)+1))] = []byte(root)
		}
	}
	return out, nil
}
