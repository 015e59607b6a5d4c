// Package imagetest makes what tests publish: raw images, their index and pack,
// patches between them, and releases that name them, in memory and the same at
// each run. What it makes has the parameters of real releases, and is as valid.
//
// It is for tests of every program, and for tests only. What cannot fail but by
// a fault in the tests panics, so that images can be made once for a package.
package imagetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/image"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/patch"
)

// Built is an image with the files that are published of it. Files holds them
// by their paths; with patches it holds their tables and bodies too.
type Built struct {
	Image              manifests.Image // as a release names it
	Plain, Index, Pack []byte
	Files              map[string][]byte
}

// Text gives size bytes that pack to half, from a seed.
func Text(size int, seed uint64) []byte {
	r, out := rand.New(rand.NewPCG(seed, 1)), make([]byte, 0, size+8)
	for len(out) < size {
		out = fmt.Appendf(out, "%08x", r.Uint32())
	}
	return out[:size]
}

// Build publishes an image for a slot in chunks.
func Build(slot manifests.Name, plain []byte) *Built {
	b := &Built{Plain: plain, Files: map[string][]byte{}}
	x := b.cut()
	x.ImageSHA256, x.PackSHA256 = sha256.Sum256(plain), sha256.Sum256(b.Pack)
	var err error
	b.Index, err = x.MarshalBinary()
	must(err)
	b.Image = manifests.Image{
		Slot: slot, Size: int64(len(plain)), SHA256: manifests.SumSHA256(plain), Index: b.blob(b.Index), Pack: b.blob(b.Pack),
	}
	return b
}

// cut makes the pack and the rows of the index.
func (b *Built) cut() *image.Index {
	x, seen := &image.Index{}, map[[image.SumBytes]byte]int{}
	packer, err := image.NewPacker(1)
	must(err)
	for c := image.NewChunker(bytes.NewReader(b.Plain), image.ParamsFor(int64(len(b.Plain)))); ; {
		chunk, err := c.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		must(err)
		sum := image.Sum(chunk)
		if first, ok := seen[sum]; ok {
			x.Repeat(first)
			continue
		}
		seen[sum] = len(x.Rows)
		start := len(b.Pack)
		b.Pack = packer.Pack(b.Pack, chunk)
		x.Add(len(chunk), len(b.Pack)-start, sum, image.Sum(b.Pack[start:]))
	}
	must(packer.Close())
	return x
}

// PatchFrom publishes a patch from an older image too, and gives its table and
// its body. The release then names this patch and no other.
func (b *Built) PatchFrom(old []byte) (table *patch.Table, file, body []byte) {
	table, file, body = Patch(old, b.Plain)
	b.blob(body)
	b.Image.Patches = []manifests.Patch{{FromSHA256: table.FromSHA256, Table: b.blob(file), BodySize: table.BodySize}}
	return table, file, body
}

func (b *Built) blob(data []byte) manifests.Blob {
	ref := Blob(data)
	b.Files[layout.BlobFile(ref.SHA256)] = data
	return ref
}

// Patch makes a patch between two images: its table, the table's file, and the
// body.
func Patch(old, plain []byte) (table *patch.Table, file, body []byte) {
	var out bytes.Buffer
	table, err := patch.Build(context.Background(), patch.Options{
		Old: bytes.NewReader(old), OldSize: int64(len(old)), New: bytes.NewReader(plain), NewSize: int64(len(plain)), Body: &out,
	})
	must(err)
	file, err = table.MarshalBinary()
	must(err)
	return table, file, out.Bytes()
}

// Blob is how signed documents name data.
func Blob(data []byte) manifests.Blob {
	return manifests.Blob{SHA256: manifests.SumSHA256(data), Size: int64(len(data))}
}

// must is for what cannot fail.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
