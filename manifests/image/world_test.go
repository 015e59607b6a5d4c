package image

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"testing"
)

// sample gives n bytes that look like a file system: text that packs well,
// noise that does not, zeros, and stretches that come back later. They depend
// on n alone.
func sample(n int) []byte {
	var out []byte
	for block := uint64(0); len(out) < n; block++ {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("sample"), block/7*5+block%7%5))
		switch length := 40<<10 + int(sum[1])<<8; sum[0] % 4 {
		case 0:
			out = append(out, make([]byte, length)...)
		case 1:
			for range length / 64 {
				sum = sha256.Sum256(sum[:])
				out = append(out, sum[:]...)
				out = append(out, "the quick brown fox jumps over: "...)
			}
		default:
			for range length / 32 {
				sum = sha256.Sum256(sum[:])
				out = append(out, sum[:]...)
			}
		}
	}
	return out[:n]
}

func chunks(t testing.TB, r io.Reader, p Params) [][]byte {
	t.Helper()
	var out [][]byte
	c := NewChunker(r, p)
	for {
		chunk, err := c.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, bytes.Clone(chunk))
	}
}

// build makes index and pack of an image in memory.
func build(t testing.TB, image []byte) (*Index, []byte) {
	t.Helper()
	packer, err := NewPacker(1)
	if err != nil {
		t.Fatal(err)
	}
	defer packer.Close()
	x, pack, seen := &Index{}, []byte(nil), map[[SumBytes]byte]int{}
	for _, chunk := range chunks(t, bytes.NewReader(image), ParamsFor(int64(len(image)))) {
		sum := Sum(chunk)
		if first, ok := seen[sum]; ok {
			x.Repeat(first)
			continue
		}
		seen[sum] = len(x.Rows)
		start := len(pack)
		pack = packer.Pack(pack, chunk)
		x.Add(len(chunk), len(pack)-start, sum, Sum(pack[start:]))
	}
	x.ImageSHA256, x.PackSHA256 = sha256.Sum256(image), sha256.Sum256(pack)
	return x, pack
}

func encode(t testing.TB, x *Index) []byte {
	t.Helper()
	b, err := x.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
