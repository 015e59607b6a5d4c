package attest_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/signer/attest"
)

const builder = "https://ci.example/firmware"

func release() *manifests.Release {
	return &manifests.Release{Product: "phone", Build: 43, Version: "6.43", Images: []manifests.Image{
		{Slot: "system", SHA256: manifests.SHA256{1}}, {Slot: "boot", SHA256: manifests.SHA256{2}},
	}}
}

func inputs() []attest.Input {
	return []attest.Input{{Name: "release.yaml", SHA256: manifests.SHA256{3}}, {Name: "older system", SHA256: manifests.SHA256{4}}}
}

func made(t *testing.T, in []attest.Input) []byte {
	t.Helper()
	data, err := attest.MakeProvenance(builder, release(), in)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// What is made here is what is demanded, whatever the order of the inputs, and
// says neither when nor where.
func TestStatementSaysWhatIsKnownAndNothingElse(t *testing.T) {
	data := made(t, inputs())
	blob, err := attest.CheckProvenance(data, release().Images)
	if err != nil || blob.SHA256 != manifests.SumSHA256(data) || blob.Size != int64(len(data)) {
		t.Fatalf("%+v, %v", blob, err)
	}
	in := inputs()
	in[0], in[1] = in[1], in[0]
	if again := made(t, append(in, in...)); !bytes.Equal(data, again) {
		t.Errorf("the same inputs in another order:\n%s\n%s", data, again)
	}
	var s struct {
		Type      string `json:"_type"`
		Predicate struct {
			BuildDefinition struct {
				ResolvedDependencies []struct {
					Name   string            `json:"name"`
					Digest map[string]string `json:"digest"`
				} `json:"resolvedDependencies"`
			} `json:"buildDefinition"`
			RunDetails struct {
				Builder  map[string]string `json:"builder"`
				Metadata any               `json:"metadata"`
			} `json:"runDetails"`
		} `json:"predicate"`
	}
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	p := s.Predicate
	if s.Type != "https://in-toto.io/Statement/v1" || len(p.BuildDefinition.ResolvedDependencies) != 2 || p.RunDetails.Builder["id"] != builder || p.RunDetails.Metadata != nil {
		t.Errorf("%s", data)
	}
	for _, id := range []string{"", "me", "https://" + strings.Repeat("x", 600)} {
		if _, err := attest.MakeProvenance(id, release(), nil); err == nil {
			t.Errorf("builder id %.20q: accepted", id)
		}
	}
}

func TestStatementAboutAnythingElseIsRefused(t *testing.T) {
	good := string(made(t, inputs()))
	image := strings.Repeat("0", 62)
	for name, test := range map[string]struct{ data, why string }{
		"nothing":         {"", "1 to"},
		"too long":        {strings.Repeat(" ", manifests.MaxProvenanceBytes+1), "are allowed"},
		"no JSON":         {"provenance", "not JSON"},
		"an envelope":     {`{"payloadType":"application/vnd.in-toto+json","payload":"e30="}`, "give the statement inside"},
		"a bundle":        {`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}`, "give the statement inside"},
		"an old one":      {strings.Replace(good, "Statement/v1", "Statement/v0.1", 1), "_type"},
		"another one":     {strings.Replace(good, "slsa.dev/provenance/v1", "example/other", 1), "predicateType"},
		"without content": {strings.Replace(good, `"predicate":`, `"predicament":`, 1), "predicate"},
		"another image":   {strings.Replace(good, "01"+image, "05"+image, 1), "does not speak of the image of slot system"},
		"one image more":  {strings.Replace(good, `"subject":[`, `"subject":[{"name":"x","digest":{"sha256":"09"}},`, 1), "is not an image of this release"},
		"no digest":       {strings.Replace(good, `"subject":[`, `"subject":[{"name":"x","digest":{"sha512":"09"}},`, 1), "subject[0].digest.sha256"},
	} {
		if _, err := attest.CheckProvenance([]byte(test.data), release().Images); err == nil || !strings.Contains(err.Error(), test.why) {
			t.Errorf("%s: got %v, expected %q", name, err, test.why)
		}
	}
}

func TestListOfWhatIsInsideIsRecognised(t *testing.T) {
	for data, want := range map[string]manifests.SBOMFormat{
		`{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","name":"phone"}`:       manifests.SPDX,
		`{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld","@graph":[{}]}`: manifests.SPDX,
		`{"bomFormat":"CycloneDX","specVersion":"1.6","components":[]}`:               manifests.CycloneDX,
		`{"spdxVersion":"SPDX-2.3"}`: "", `{"bomFormat":"CycloneDX"}`: "", `{"@context":"https://schema.org"}`: "", `[]`: "", ``: "", `<bom/>`: "",
	} {
		got, err := attest.CheckSBOM([]byte(data))
		if (err == nil) != (want != "") || got.Format != want {
			t.Errorf("%s: %q, %v", data, got.Format, err)
		}
		if err == nil && got.Blob() != (manifests.Blob{SHA256: manifests.SumSHA256([]byte(data)), Size: int64(len(data))}) {
			t.Errorf("%s: named %+v", data, got.Blob())
		}
	}
}

func FuzzAttached(f *testing.F) {
	data, err := attest.MakeProvenance(builder, release(), inputs())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"spdxVersion":"SPDX-2.3","SPDXID":"x"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if blob, err := attest.CheckProvenance(data, release().Images); err == nil && blob.SHA256 != manifests.SumSHA256(data) {
			t.Fatal("named by another hash")
		}
		if sbom, err := attest.CheckSBOM(data); err == nil && (sbom.Format == "" || sbom.Size != int64(len(data))) {
			t.Fatalf("%+v", sbom)
		}
	})
}
