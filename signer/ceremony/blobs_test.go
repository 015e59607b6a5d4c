package ceremony

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/image/imagetest"
)

// A body has its name from the table alone, so a table is believed only where
// it is the one that was signed, about the image that was signed.
func TestBlobsNameTheBodiesOfPatches(t *testing.T) {
	table, file, body := imagetest.Patch([]byte("original"), []byte("patched!"))
	release := func() *manifests.Release {
		return &manifests.Release{Images: []manifests.Image{{
			Slot: "system", Size: table.Size, SHA256: table.SHA256, Index: manifests.Blob{SHA256: manifests.SHA256{1}}, Pack: manifests.Blob{SHA256: manifests.SHA256{2}},
			Patches: []manifests.Patch{{
				FromSHA256: table.FromSHA256, BodySize: table.BodySize,
				Table: imagetest.Blob(file),
			}},
		}}}
	}
	give := func(file []byte) func(manifests.Blob) ([]byte, error) {
		return func(manifests.Blob) ([]byte, error) { return file, nil }
	}
	blobs, err := Blobs(release(), give(file))
	want := imagetest.Blob(body)
	if err != nil || len(blobs) != 4 || !slices.Contains(blobs, want) {
		t.Errorf("%v, %v", blobs, err)
	}
	for name, c := range map[string]struct {
		read  func(manifests.Blob) ([]byte, error)
		spoil func(*manifests.Image)
		want  string
	}{
		"another table":     {give(append(bytes.Clone(file), 0)), func(*manifests.Image) {}, "not those that were signed"},
		"changed table":     {give(append([]byte{0}, file[1:]...)), func(*manifests.Image) {}, "not those that were signed"},
		"no table":          {func(manifests.Blob) ([]byte, error) { return nil, errors.New("gone") }, func(*manifests.Image) {}, "gone"},
		"of another image":  {give(file), func(m *manifests.Image) { m.SHA256[0]++ }, "new image"},
		"with another body": {give(file), func(m *manifests.Image) { m.Patches[0].BodySize++ }, "body size"},
		"that is no table": {give([]byte("x")), func(m *manifests.Image) {
			m.Patches[0].Table = imagetest.Blob([]byte("x"))
		}, "header"},
		"from another image": {give(file), func(m *manifests.Image) { m.Patches[0].FromSHA256[0]++ }, "old image"},
	} {
		r := release()
		c.spoil(&r.Images[0])
		if _, err := Blobs(r, c.read); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
