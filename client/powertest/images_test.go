package powertest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/candor-ota/candor/client/fetch"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/image"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/patch"
)

// built is an image with the files that are published of it.
type built struct {
	image manifests.Image
	plain []byte
	files map[string][]byte
}

// text makes bytes that pack well, from a seed.
func text(size int, seed uint64) []byte {
	r, out := rand.New(rand.NewPCG(seed, 1)), make([]byte, 0, size+8)
	for len(out) < size {
		out = fmt.Appendf(out, "%08x", r.Uint32())
	}
	return out[:size]
}

// build publishes an image in chunks, with the parameters of real ones.
func build(name manifests.Name, plain []byte) *built {
	x, pack, seen := &image.Index{}, []byte(nil), map[[image.SumBytes]byte]int{}
	packer, err := image.NewPacker(1)
	must(err)
	for c := image.NewChunker(bytes.NewReader(plain), image.ParamsFor(int64(len(plain)))); ; {
		chunk, err := c.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		sum := image.Sum(chunk)
		if first, ok := seen[sum]; ok {
			x.Repeat(first)
			continue
		}
		seen[sum] = len(x.Rows)
		start := len(pack)
		pack = packer.Pack(pack, chunk)
		x.Add(len(chunk), len(pack)-start, sum, image.Sum(pack[start:]))
	}
	x.ImageSHA256, x.PackSHA256 = sha256.Sum256(plain), sha256.Sum256(pack)
	index, err := x.MarshalBinary()
	must(errors.Join(err, packer.Close()))
	b := &built{plain: plain, files: map[string][]byte{}}
	b.image = manifests.Image{
		Slot: name, Size: int64(len(plain)), SHA256: manifests.SumSHA256(plain), Index: b.blob(index), Pack: b.blob(pack),
	}
	return b
}

// patchFrom publishes a patch from an older image too.
func (b *built) patchFrom(old []byte) {
	var body bytes.Buffer
	t, err := patch.Build(context.Background(), patch.Options{
		Old: bytes.NewReader(old), OldSize: int64(len(old)), New: bytes.NewReader(b.plain), NewSize: int64(len(b.plain)), Body: &body, Workers: 1,
	})
	must(err)
	table, err := t.MarshalBinary()
	must(err)
	b.blob(body.Bytes())
	b.image.Patches = []manifests.Patch{{FromSHA256: manifests.SumSHA256(old), Table: b.blob(table), BodySize: int64(body.Len())}}
}

func (b *built) blob(data []byte) manifests.Blob {
	ref := manifests.Blob{SHA256: manifests.SumSHA256(data), Size: int64(len(data))}
	b.files[layout.BlobFile(ref.SHA256)] = data
	return ref
}

// must is for what cannot fail.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// cdn serves blobs.
type cdn map[string][]byte

func (c cdn) OpenRange(_ context.Context, r fetch.Range) (io.ReadCloser, error) {
	data, ok := c[r.Path]
	if !ok || int64(len(data)) != r.Size {
		return nil, fmt.Errorf("%s: not found", r.Path)
	}
	if r.To == 0 {
		r.To = r.Size
	}
	return io.NopCloser(bytes.NewReader(data[r.From:r.To])), nil
}
