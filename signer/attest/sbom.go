package attest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/candor-ota/candor/manifests"
)

// CheckSBOM recognises an SPDX or CycloneDX document in JSON.
func CheckSBOM(data []byte) (manifests.SBOM, error) {
	blob, err := bounded(data, manifests.MaxSBOMBytes)
	if err != nil {
		return manifests.SBOM{}, err
	}
	var head struct {
		SPDXVersion string          `json:"spdxVersion"`
		SPDXID      string          `json:"SPDXID"`
		Context     json.RawMessage `json:"@context"`
		Graph       json.RawMessage `json:"@graph"`
		BOMFormat   string          `json:"bomFormat"`
		SpecVersion string          `json:"specVersion"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return manifests.SBOM{}, fmt.Errorf("not JSON: %w; give SPDX or CycloneDX in its JSON form", err)
	}
	out := manifests.SBOM{SHA256: blob.SHA256, Size: blob.Size}
	switch {
	case head.BOMFormat == "CycloneDX" && head.SpecVersion != "":
		out.Format = manifests.CycloneDX
	case strings.HasPrefix(head.SPDXVersion, "SPDX-2.") && head.SPDXID != "":
		out.Format = manifests.SPDX
	case strings.Contains(string(head.Context), "spdx.org/rdf/3.") && len(head.Graph) > 0:
		out.Format = manifests.SPDX
	default:
		return out, errors.New("neither SPDX (spdxVersion, SPDXID) nor CycloneDX (bomFormat, specVersion)")
	}
	return out, nil
}
