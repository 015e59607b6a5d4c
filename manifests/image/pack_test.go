package image

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func TestPackReadFromEndToEndIsTheImage(t *testing.T) {
	for _, n := range []int{1, 5000, 3 << 20} {
		image := sample(n)
		x, pack := build(t, image)
		var out bytes.Buffer
		if err := Extract(&out, x, bytes.NewReader(pack)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out.Bytes(), image) {
			t.Errorf("%d bytes: another image came out", n)
		}
	}
}

func TestExtractRefusesDamage(t *testing.T) {
	image := sample(1 << 20)
	x, pack := build(t, image)
	flipped := bytes.Clone(pack)
	flipped[len(flipped)/2] ^= 1
	if err := Extract(&bytes.Buffer{}, x, bytes.NewReader(flipped)); !errors.Is(err, ErrMismatch) {
		t.Errorf("flipped byte: %v", err)
	}
	if err := Extract(&bytes.Buffer{}, x, bytes.NewReader(pack[:len(pack)-1])); err == nil {
		t.Error("truncated pack: accepted")
	}
	x.ImageSHA256[0]++
	if err := Extract(&bytes.Buffer{}, x, bytes.NewReader(pack)); !errors.Is(err, ErrMismatch) {
		t.Errorf("another image's hash: %v", err)
	}
}

func TestPackingIsTheSameFromManyGoroutines(t *testing.T) {
	parts := chunks(t, bytes.NewReader(sample(2<<20)), smallChunks)
	one, err := NewPacker(1)
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	many, err := NewPacker(8)
	if err != nil {
		t.Fatal(err)
	}
	defer many.Close()
	var group sync.WaitGroup
	for _, i := range rand.Perm(len(parts)) {
		group.Go(func() {
			if !bytes.Equal(many.Pack(nil, parts[i]), one.Pack(nil, parts[i])) {
				t.Errorf("chunk %d is packed differently", i)
			}
		})
	}
	group.Wait()
}

// packed wraps frame as row would name it, with a hash that holds: what is
// left to refuse it is the frame's own form.
func packed(frame, chunk []byte) *Row {
	return &Row{
		SHA256: Sum(chunk), PackedSHA256: Sum(frame),
		Length: int32(len(chunk)), PackedLength: int32(len(frame)),
	}
}

func frameOf(t testing.TB, chunk []byte, options ...zstd.EOption) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil, options...)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(chunk, nil)
}

func TestBadFrameRefused(t *testing.T) {
	chunk := bytes.Repeat([]byte("candor "), 5000)
	good := frameOf(t, chunk)
	other := frameOf(t, bytes.Repeat([]byte("Candor "), 5000))
	var stream bytes.Buffer
	w, err := zstd.NewWriter(&stream, zstd.WithWindowSize(4<<20))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(chunk); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Flush(), w.Close()); err != nil { // a flushed frame has no size in front
		t.Fatal(err)
	}
	wide := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x80, 0x60, 0xb8, 0x88, 0, 0, 1, 0, 0} // 4 MiB window, 35,000 bytes declared
	skippable := append([]byte{0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 0}, good...)
	for name, c := range map[string]struct {
		frame []byte
		want  string
	}{
		"two frames":          {append(bytes.Clone(good), good...), "follow the frame"},
		"trailing byte":       {append(bytes.Clone(good), 0), "follow the frame"},
		"checksum cut off":    {good[:len(good)-1], "checksum"},
		"block cut off":       {good[:len(good)-5], "after the frame"},
		"skippable":           {skippable, "skippable"},
		"no size":             {stream.Bytes(), "not declared"},
		"other size":          {frameOf(t, chunk[1:]), "content size"},
		"wide window":         {wide, "window of 4194304 bytes"},
		"not a frame":         {[]byte("these are no zstd bytes"), "frame header"},
		"other bytes":         {other, "unpacks to other bytes"},
		"corrupt compression": {corrupt(good), ErrFrame.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			u, err := NewUnpacker()
			if err != nil {
				t.Fatal(err)
			}
			defer u.Close()
			_, err = u.Unpack(nil, packed(c.frame, chunk), c.frame)
			if !errors.Is(err, ErrFrame) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func corrupt(frame []byte) []byte {
	bad := bytes.Clone(frame)
	for i := len(bad) - 8; i < len(bad); i++ {
		bad[i] ^= 0xa5
	}
	return bad
}

// The bytes are a bomb that the decoder would refuse too; that the error is a
// mismatch shows that the decoder never saw them.
func TestNothingIsDecodedBeforeItsHashMatches(t *testing.T) {
	chunk := bytes.Repeat([]byte("candor "), 5000)
	good := frameOf(t, chunk)
	row := packed(good, chunk)
	bad := corrupt(good)
	u, err := NewUnpacker()
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	for _, in := range [][]byte{bad, good[:len(good)-1], append(bytes.Clone(good), 0), nil} {
		if _, err := u.Unpack(nil, row, in); !errors.Is(err, ErrMismatch) {
			t.Errorf("%d bytes: %v", len(in), err)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	chunk := sample(20 << 10)
	f.Add(frameOf(f, chunk), uint32(len(chunk)))
	f.Add(frameOf(f, bytes.Repeat([]byte("a"), 1000)), uint32(1000))
	f.Add(frameOf(f, chunk, zstd.WithSingleSegment(true), zstd.WithEncoderCRC(false)), uint32(len(chunk)))
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x60, 0, 0, 1, 0, 0}, uint32(256))
	u, err := NewUnpacker()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, frame []byte, length uint32) {
		if length == 0 || length > MaxChunkBytes || uint32(len(frame)) >= length {
			return
		}
		row := &Row{Length: int32(length), PackedLength: int32(len(frame)), PackedSHA256: Sum(frame)}
		out, err := u.decode(make([]byte, 0, length), row, frame)
		if err == nil && len(out) != int(length) {
			t.Errorf("%d bytes came out of a row of %d", len(out), length)
		}
	})
}
