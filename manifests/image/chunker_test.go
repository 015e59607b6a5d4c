package image

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

// The numbers below are the format: if one changes, every published index is
// cut in other places than the next one, and no chunk is shared any more.
func TestChunkBoundariesAreFrozen(t *testing.T) {
	table := sha256.New()
	for _, g := range gear {
		table.Write(binary.BigEndian.AppendUint64(nil, g))
	}
	if got := hex.EncodeToString(table.Sum(nil)); got != goldenGear {
		t.Errorf("gear table %s, want %s", got, goldenGear)
	}
	for _, v := range goldenCuts {
		lengths := sha256.New()
		parts := chunks(t, bytes.NewReader(sample(3<<20)), v.params)
		for _, chunk := range parts {
			lengths.Write(binary.BigEndian.AppendUint32(nil, uint32(len(chunk))))
		}
		if got := hex.EncodeToString(lengths.Sum(nil)); len(parts) != v.chunks || got != v.lengths {
			t.Errorf("%+v: %d chunks, lengths %s; want %d, %s", v.params, len(parts), got, v.chunks, v.lengths)
		}
	}
}

func TestChunkSizesFollowFromImageSize(t *testing.T) {
	if ParamsFor(1<<30) != smallChunks || ParamsFor(1<<30+1) != largeChunks {
		t.Error("the sizes change elsewhere than at 1 GiB")
	}
}

func TestChunksAreTheImageWithinBounds(t *testing.T) {
	image := sample(5 << 20)
	for _, p := range []Params{smallChunks, largeChunks} {
		parts := chunks(t, bytes.NewReader(image), p)
		if !bytes.Equal(bytes.Join(parts, nil), image) {
			t.Fatal("the chunks are not the image")
		}
		for i, chunk := range parts {
			if len(chunk) > p.Max || (len(chunk) < p.Min && i < len(parts)-1) {
				t.Errorf("chunk %d has %d bytes", i, len(chunk))
			}
		}
		if mean := len(image) / len(parts); mean < p.Avg/2 || mean > 2*p.Avg {
			t.Errorf("%d bytes on average, %d wanted", mean, p.Avg)
		}
	}
}

func TestChunksDoNotDependOnReadSizes(t *testing.T) {
	image := sample(1 << 20)
	whole := chunks(t, bytes.NewReader(image), smallChunks)
	halves := chunks(t, iotest.HalfReader(bytes.NewReader(image)), smallChunks)
	if len(whole) != len(halves) {
		t.Errorf("%d chunks from one read, %d from many", len(whole), len(halves))
	}
}

func TestInsertionMovesFewChunks(t *testing.T) {
	image := sample(4 << 20)
	moved := append(append(bytes.Clone(image[:1<<20]), "a few new bytes"...), image[1<<20:]...)
	known := map[[32]byte]bool{}
	for _, chunk := range chunks(t, bytes.NewReader(image), smallChunks) {
		known[sha256.Sum256(chunk)] = true
	}
	fresh := 0
	for _, chunk := range chunks(t, bytes.NewReader(moved), smallChunks) {
		if !known[sha256.Sum256(chunk)] {
			fresh++
		}
	}
	if fresh > 3 {
		t.Errorf("15 inserted bytes made %d new chunks", fresh)
	}
}

// A run of one byte must not cut at the least size: it would make the most
// rows where an image is empty.
func TestRunsMakeGreatestChunks(t *testing.T) {
	for _, value := range []byte{0x00, 0xff} {
		run := bytes.Repeat([]byte{value}, 1<<20)
		if got := chunks(t, bytes.NewReader(run), smallChunks); len(got) != 1<<20/smallChunks.Max {
			t.Errorf("a run of %#x makes %d chunks", value, len(got))
		}
	}
}

func TestReadErrorEndsChunking(t *testing.T) {
	broken := io.MultiReader(bytes.NewReader(sample(300<<10)), iotest.ErrReader(io.ErrClosedPipe))
	c := NewChunker(broken, smallChunks)
	for {
		if _, err := c.Next(); err != nil {
			if !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("got %v", err)
			}
			return
		}
	}
}
