package install

import (
	"errors"
	"fmt"
	"io"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/manifests/image"
)

// cut makes the index of an image by cutting it: there is none of a factory
// image, nor of one that a patch made. It says what the chunks are, and nothing
// of a pack. Where the image cannot be read the chunks are wrong; whole says
// whether there is such a place.
func cut(f disk.File, size int64, p image.Params) (x *image.Index, whole bool) {
	x = &image.Index{}
	in := &lenient{file: f, size: size}
	for c := image.NewChunker(in, p); ; {
		chunk, err := c.Next()
		if err != nil {
			return x, in.bad == 0 && errors.Is(err, io.EOF)
		}
		x.Add(len(chunk), len(chunk), image.Sum(chunk), [image.SumBytes]byte{})
	}
}

// lenient reads a file and gives zeros for what cannot be read, since one bad
// place does not spoil the rest. Of too many it tires: each may take the medium
// seconds.
type lenient struct {
	file     disk.File
	at, size int64
	bad      int
}

const (
	lenientBytes = 16 << 10
	maxBadPlaces = 16
)

func (l *lenient) Read(b []byte) (int, error) {
	n := min(l.size-l.at, int64(len(b)), lenientBytes)
	if n <= 0 {
		return 0, io.EOF
	}
	if err := readAll(l.file, b[:n], l.at); err != nil {
		if l.bad++; l.bad > maxBadPlaces {
			return 0, fmt.Errorf("too many places cannot be read: %w", err)
		}
		clear(b[:n])
	}
	l.at += n
	return int(n), nil
}
