package boot

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/manifests"
)

// Metadata is what was installed into a slot. The build is an attribute of the
// signed release and is recorded here, beside the slot, not read from the image.
type Metadata struct {
	Product       manifests.Product       `json:"product"`
	Build         manifests.Build         `json:"build"`
	SecurityEpoch manifests.SecurityEpoch `json:"securityEpoch"`
	Version       string                  `json:"version"`
	Images        []Image                 `json:"images"`
	Label         manifests.PrivacyLabel  `json:"label"` // what the build collects
}

// Image is one of the images that make up a slot.
type Image struct {
	Name   manifests.Name   `json:"name"` // "system", "boot", …
	SHA256 manifests.SHA256 `json:"sha256"`
	Size   int64            `json:"size"` // bytes
}

// Images describes the images of a release, in its order.
func Images(of []manifests.Image) []Image {
	out := make([]Image, len(of))
	for i, m := range of {
		out[i] = Image{Name: m.Slot, SHA256: m.SHA256, Size: m.Size}
	}
	return out
}

// Whole is m with empty lists in place of absent ones, as it is written.
func (m Metadata) Whole() Metadata {
	if m.Images == nil {
		m.Images = []Image{}
	}
	if m.Label.Collects == nil {
		m.Label.Collects = []manifests.Collection{}
	}
	return m
}

// Measure describes an image file, such as the one that a factory put into a
// slot.
func Measure(d disk.Disk, name manifests.Name, path string) (Image, error) {
	return MeasureFirst(d, name, path, math.MaxInt64)
}

// MeasureAll describes image files by name, in the order of their names.
func MeasureAll(d disk.Disk, paths map[manifests.Name]string) ([]Image, error) {
	var out []Image
	for _, name := range slices.Sorted(maps.Keys(paths)) {
		image, err := Measure(d, name, paths[name])
		if err != nil {
			return nil, err
		}
		out = append(out, image)
	}
	return out, nil
}

// MeasureFirst describes the image that the first bytes of a partition hold: so
// many, or all if there are less.
func MeasureFirst(d disk.Disk, name manifests.Name, path string, bytes int64) (Image, error) {
	f, err := d.Open(path, disk.Read)
	if err != nil {
		return Image{}, fmt.Errorf("image %s: %w", name, err)
	}
	h := sha256.New()
	size, err := f.Size()
	if size = min(size, bytes); err == nil {
		_, err = io.Copy(h, io.NewSectionReader(f, 0, size))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return Image{}, fmt.Errorf("image %s: %w", name, err)
	}
	return Image{Name: name, SHA256: manifests.SHA256(h.Sum(nil)), Size: size}, nil
}
