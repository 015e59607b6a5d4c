// Package archive is the format in which a release is kept after it has left its
// product's list: the document, with the signed metadata that made it a release,
// and the list that took it off. It can be verified from the first root, without
// a network, long after everything in it has expired.
//
// Parties. The service writes one file for each release that leaves, at
// layout.ArchiveFile, and never changes it. Whoever keeps it may have changed all
// of it: this package bounds and names what is in it, and its readers verify
// (`candor-signer archive verify`).
//
// A file is one JSON document with its fields in a fixed order; files of the tree
// are base64. Images are not in it: it proves their hashes.
package archive

import (
	"encoding/json"
	"fmt"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/strict"
)

// Spec names the form and its version.
const Spec = "candor-archive-v1"

// Bounds of a file.
const (
	MaxBytes = 64 << 20
	maxFiles = 2048 // of which 1,024 roots
)

// Archive is one release that has left its product's list.
type Archive struct {
	Spec    string            `json:"spec"`
	Product manifests.Product `json:"product"`
	Build   manifests.Build   `json:"build"`
	How     layout.Left       `json:"how"` // as the engineers signed it in Gone
	// Live are the published files, by path, while the release was on the list:
	// every root, timestamp, snapshot, targets, the product's list, rollouts and
	// the release document.
	Live map[string][]byte `json:"live"`
	// Gone is the list that took it off, with roots and targets that came with it.
	Gone map[string][]byte `json:"gone"`
}

// Parse reads an archive of at most MaxBytes.
func Parse(data []byte) (*Archive, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("archive: %w", strict.Refuse("", "more than %d bytes", MaxBytes))
	}
	var a Archive
	if err := strict.Written("an archived release", data, &a, a.encode); err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	return &a, nil
}

// Encode gives the file's bytes, or refuses what is not well formed.
func (a *Archive) Encode() ([]byte, error) {
	data, err := a.encode()
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	return data, nil
}

func (a *Archive) encode() ([]byte, error) {
	if err := a.validate(); err != nil {
		return nil, err
	}
	data, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	if len(data) >= MaxBytes {
		return nil, strict.Refuse("", "%d bytes; at most %d", len(data), MaxBytes)
	}
	return append(data, '\n'), nil
}

func (a *Archive) validate() error {
	switch {
	case a.Spec != Spec:
		return strict.Refuse("spec", "is %q; this program reads %q", a.Spec, Spec)
	case a.Build == 0 || a.Product == "":
		return strict.Refuse("build", "names no build of a product")
	case a.How != layout.Retired && a.How != layout.Withdrawn:
		return strict.Refuse("how", "is %q; use %s or %s", a.How, layout.Retired, layout.Withdrawn)
	case len(a.Live)+len(a.Gone) > maxFiles:
		return strict.Refuse("live", "%d files; at most %d", len(a.Live)+len(a.Gone), maxFiles)
	}
	for _, files := range []map[string][]byte{a.Live, a.Gone} {
		for path, body := range files {
			if !layout.IsTreePath(path) {
				return strict.Refuse("live", "%.80q is no path of metadata or of a document", path)
			}
			if len(body) == 0 || len(body) > manifests.MaxReleaseBytes && len(body) > layout.MaxMetadataBytes {
				return strict.Refuse("live", "%s has %d bytes; 1 to %d are allowed", path, len(body), max(manifests.MaxReleaseBytes, layout.MaxMetadataBytes))
			}
		}
	}
	return nil
}
