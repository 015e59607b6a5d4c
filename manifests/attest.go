package manifests

// Bounds of what a release says about its own making, in bytes. No handset
// fetches them; they keep a store from being filled by accident.
const (
	MaxProvenanceBytes = 16 << 20
	MaxSBOMBytes       = 128 << 20
)

// SBOMFormat is the kind of a list of what is inside.
type SBOMFormat string

// The kinds, both in their JSON form.
const (
	SPDX      SBOMFormat = "spdx"
	CycloneDX SBOMFormat = "cyclonedx"
)

// SBOM names a list of what is inside the images, by its hash.
type SBOM struct {
	Format SBOMFormat `json:"format"`
	SHA256 SHA256     `json:"sha256"`
	Size   int64      `json:"size"` // bytes
}

// Blob is where the list is published.
func (s SBOM) Blob() Blob { return Blob{SHA256: s.SHA256, Size: s.Size} }

// Attached lists the blobs that a release carries by hash and no handset needs:
// its provenance and its SBOM. They are published and kept as long as it is.
func (r *Release) Attached() []Blob {
	var all []Blob
	if r.Provenance != nil {
		all = append(all, *r.Provenance)
	}
	if r.SBOM != nil {
		all = append(all, r.SBOM.Blob())
	}
	return all
}

// Named lists every blob that the document itself names: index and pack of each
// image, and what is attached. Patches are apart, since only their tables name
// their bodies.
func (r *Release) Named() []Blob {
	var all []Blob
	for _, m := range r.Images {
		all = append(all, m.Index, m.Pack)
	}
	return append(all, r.Attached()...)
}

func (r *Release) checkAttached() error {
	if p := r.Provenance; p != nil && (p.Size < 1 || p.Size > MaxProvenanceBytes) {
		return refuse("provenance.size", "is %d; 1 to %d bytes are allowed", p.Size, MaxProvenanceBytes)
	}
	s := r.SBOM
	switch {
	case s == nil:
		return nil
	case s.Format != SPDX && s.Format != CycloneDX:
		return refuse("sbom.format", "is %q; use spdx or cyclonedx", clip([]byte(s.Format)))
	case s.Size < 1 || s.Size > MaxSBOMBytes:
		return refuse("sbom.size", "is %d; 1 to %d bytes are allowed", s.Size, MaxSBOMBytes)
	}
	return nil
}
