package image

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestIndexAndPackAreFrozen(t *testing.T) {
	x, pack := build(t, sample(3<<20))
	index := sha256.Sum256(encode(t, x))
	if got := hex.EncodeToString(index[:]); got != goldenIndex {
		t.Errorf("index %s, want %s", got, goldenIndex)
	}
	sum := sha256.Sum256(pack)
	if got := hex.EncodeToString(sum[:]); got != goldenPack {
		t.Errorf("pack %s, want %s", got, goldenPack)
	}
}

func TestIndexReadsBackAsWritten(t *testing.T) {
	for _, n := range []int{1, 100, 4096, 1 << 20} {
		x, _ := build(t, sample(n))
		got, err := Parse(encode(t, x))
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if !reflect.DeepEqual(got, x) {
			t.Errorf("%d bytes: reads back differently", n)
		}
	}
}

func TestRepeatedChunksAreStoredOnce(t *testing.T) {
	x, pack := build(t, make([]byte, 8<<20))
	if len(x.Rows) != 8<<20/smallChunks.Max || len(pack) > 100 {
		t.Errorf("%d rows, %d bytes of pack", len(x.Rows), len(pack))
	}
	if got := x.PackPosition(1); got != x.PackSize {
		t.Errorf("after the only unique row the pack goes on at %d", got)
	}
}

// One case for each rule: with the rule removed, the case is accepted.
func TestBadIndexRefused(t *testing.T) {
	x, _ := build(t, sample(1<<20))
	good := encode(t, x)
	put32 := func(at int, v uint32) func([]byte) []byte {
		return func(b []byte) []byte { binary.BigEndian.PutUint32(b[at:], v); return b }
	}
	put64 := func(at int, v uint64) func([]byte) []byte {
		return func(b []byte) []byte { binary.BigEndian.PutUint64(b[at:], v); return b }
	}
	first := headerBytes
	length, packed := binary.BigEndian.Uint32(good[first:]), binary.BigEndian.Uint32(good[first+4:])
	for name, c := range map[string]struct {
		change func([]byte) []byte
		want   string
	}{
		"empty":              {func([]byte) []byte { return nil }, "header: 0 bytes"},
		"truncated":          {func(b []byte) []byte { return b[:len(b)-1] }, "length:"},
		"trailing":           {func(b []byte) []byte { return append(b, 0) }, "length:"},
		"magic":              {func(b []byte) []byte { b[0]++; return b }, "magic:"},
		"version":            {put32(8, 2), "version: 2"},
		"image empty":        {put64(12, 0), "image size:"},
		"image negative":     {put64(12, 1<<63), "image size:"},
		"image larger":       {put64(12, uint64(x.ImageSize)+1), "image size:"},
		"image smaller":      {put64(12, uint64(x.ImageSize)-1), "row "},
		"chunk sizes":        {put32(56, 1), "chunk sizes: 1"},
		"pack empty":         {put64(64, 0), "pack size:"},
		"pack beyond image":  {put64(64, uint64(x.ImageSize)+1), "pack size:"},
		"pack larger":        {put64(64, uint64(x.PackSize)+1), "pack size:"},
		"pack smaller":       {put64(64, uint64(x.PackSize)-1), "packed length:"},
		"no rows":            {put32(104, 0), "rows:"},
		"too many rows":      {put32(104, 1<<30), "rows:"},
		"unique beyond rows": {put32(108, uint32(len(x.Rows))+1), "unique rows:"},
		"fewer rows":         {put32(104, uint32(len(x.Rows))-1), "length:"},
		"row too short":      {put32(first, uint32(smallChunks.Min)-1), "row 0: length:"},
		"row too long":       {put32(first, uint32(smallChunks.Max)+1), "row 0: length:"},
		"row of nothing":     {put32(first, 0), "row 0: length:"},
		"packed to nothing":  {put32(first+4, 0), "row 0: packed length:"},
		"packed beyond row":  {put32(first+4, length+1), "row 0: packed length:"},
		"packed overflow":    {put32(first+4, 0xffffffff), "row 0: packed length:"},
		"packed sum differs": {put32(first+4, packed-1), "pack size:"},
		"repeats itself":     {put32(first, repeatFlag), "row 0: repeat:"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, c.change(bytes.Clone(good)), c.want) })
	}
}

func TestBadRepeatRefused(t *testing.T) {
	x, _ := build(t, make([]byte, 4*smallChunks.Max))
	good := encode(t, x)
	second := headerBytes + uniqueBytes
	for name, target := range map[string]uint32{"later row": 3, "itself": 1, "far": 1<<31 - 1} {
		t.Run(name, func(t *testing.T) {
			bad := bytes.Clone(good)
			binary.BigEndian.PutUint32(bad[second:], repeatFlag|target)
			refused(t, bad, "row 1: repeat:")
		})
	}
	bad := bytes.Clone(good)
	binary.BigEndian.PutUint32(bad[second+repeatBytes:], repeatFlag|1)
	refused(t, bad, "row 2: repeat: of row 1, which is a repeat itself")
}

func refused(t *testing.T, b []byte, want string) {
	t.Helper()
	_, err := Parse(b)
	var field *FieldError
	if !errors.As(err, &field) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want a refusal with %q", err, want)
	}
}

// A header that promises rows must not cost memory before they are there.
func TestClaimedRowsCostNoMemory(t *testing.T) {
	x := &Index{ImageSize: MaxImageBytes, PackSize: 1}
	claim := x.appendHeader(nil, 1)
	binary.BigEndian.PutUint32(claim[104:], uint32(x.Params().maxRows(MaxImageBytes)))
	if bytes := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			if _, err := Parse(claim); err == nil {
				b.Fatal("accepted")
			}
		}
	}).AllocedBytesPerOp(); bytes > 1<<10 {
		t.Errorf("%d bytes were allocated", bytes)
	}
}

func FuzzParse(f *testing.F) {
	for _, n := range []int{1, 70 << 10, 1 << 20} {
		x, _ := build(f, sample(n))
		f.Add(encode(f, x))
	}
	x, _ := build(f, make([]byte, 1<<20))
	f.Add(encode(f, x))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := Parse(b)
		if err != nil {
			return
		}
		again, err := x.MarshalBinary()
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("an accepted index writes back differently: %v", err)
		}
	})
}
