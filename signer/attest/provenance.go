package attest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/strict"
)

// The names of in-toto and SLSA, version 1, and of what release build does.
const (
	statementType = "https://in-toto.io/Statement/v1"
	slsaPrefix    = "https://slsa.dev/provenance/"
	slsaType      = slsaPrefix + "v1"
	buildType     = "https://github.com/candor-ota/candor/signer/release-build/v1"
)

// statement is as much of an in-toto statement as is judged.
type statement struct {
	Type          string    `json:"_type"`
	Subject       []subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
	Predicate     any       `json:"predicate"`
	// of what is often given in its place:
	PayloadType string `json:"payloadType"`
	MediaType   string `json:"mediaType"`
}

type subject struct {
	Name   string            `json:"name,omitempty"`
	URI    string            `json:"uri,omitempty"`
	Digest map[string]string `json:"digest"`
}

// CheckProvenance refuses a file that is not an in-toto Statement v1 with SLSA
// provenance about exactly these images. It gives its bytes as a blob.
func CheckProvenance(data []byte, images []manifests.Image) (manifests.Blob, error) {
	blob, err := bounded(data, manifests.MaxProvenanceBytes)
	if err != nil {
		return blob, err
	}
	var s statement
	if err := json.Unmarshal(data, &s); err != nil {
		return blob, fmt.Errorf("not JSON: %w", err)
	}
	switch {
	case s.PayloadType != "" || strings.Contains(s.MediaType, "sigstore"):
		return blob, errors.New("a signed envelope; give the statement inside it (field \"payload\", in base64)")
	case s.Type != statementType:
		return blob, fmt.Errorf("field \"_type\" is %.100q; an in-toto statement says %q", s.Type, statementType)
	case !strings.HasPrefix(s.PredicateType, slsaPrefix):
		return blob, fmt.Errorf("field \"predicateType\" is %.100q; provenance begins with %q", s.PredicateType, slsaPrefix)
	case s.Predicate == nil:
		return blob, errors.New("field \"predicate\" is missing")
	}
	return blob, sameSubjects(s.Subject, images)
}

func bounded(data []byte, most int64) (manifests.Blob, error) {
	if len(data) == 0 || int64(len(data)) > most {
		return manifests.Blob{}, fmt.Errorf("%d bytes; 1 to %d are allowed", len(data), most)
	}
	return manifests.Blob{SHA256: manifests.SumSHA256(data), Size: int64(len(data))}, nil
}

// sameSubjects demands that the statement is about these images and no others.
func sameSubjects(subjects []subject, images []manifests.Image) error {
	said := map[string]string{}
	for i, s := range subjects {
		if s.Digest["sha256"] == "" {
			return fmt.Errorf("field \"subject[%d].digest.sha256\" is missing", i)
		}
		said[s.Digest["sha256"]] = s.Name
	}
	for _, m := range images {
		hash := m.SHA256.String()
		if _, ok := said[hash]; !ok {
			return fmt.Errorf("it does not speak of the image of slot %s, sha256 %s; it is about other images, or about them in another form than raw", m.Slot, hash)
		}
		delete(said, hash)
	}
	for hash, name := range said {
		return fmt.Errorf("it speaks of %.100q, sha256 %.64s, which is not an image of this release", name, hash)
	}
	return nil
}

// Input is one thing that a release was built from.
type Input struct {
	Name   string
	SHA256 manifests.SHA256
}

// MakeProvenance writes an SLSA v1 statement of what release build knows: the
// images, the inputs by their hashes, and who built it, by a URI.
func MakeProvenance(builder string, r *manifests.Release, inputs []Input) ([]byte, error) {
	if u, err := url.Parse(builder); err != nil || u.Scheme == "" || len(builder) > 500 {
		return nil, fmt.Errorf("builder id %.100q: give a URI that names who builds, such as https://ci.example/firmware", builder)
	}
	var subjects, sources []any
	for _, m := range r.Images {
		subjects = append(subjects, map[string]any{"name": string(m.Slot), "digest": digest(m.SHA256)})
	}
	inputs = slices.Clone(inputs)
	slices.SortFunc(inputs, func(a, b Input) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.SHA256.String(), b.SHA256.String()))
	})
	for _, in := range slices.Compact(inputs) {
		sources = append(sources, map[string]any{"name": in.Name, "digest": digest(in.SHA256)})
	}
	data, err := strict.Canonical(map[string]any{
		"_type": statementType, "subject": subjects, "predicateType": slsaType,
		"predicate": map[string]any{
			"buildDefinition": map[string]any{
				"buildType": buildType, "resolvedDependencies": sources,
				"externalParameters": map[string]any{
					"product": string(r.Product), "build": strconv.FormatUint(uint64(r.Build), 10), "version": r.Version,
				},
			},
			"runDetails": map[string]any{"builder": map[string]any{"id": builder}},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("provenance: %w", err)
	}
	return append(data, '\n'), nil
}

func digest(sum manifests.SHA256) map[string]any { return map[string]any{"sha256": sum.String()} }
