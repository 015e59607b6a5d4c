package importer

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/candor-ota/candor/manifests"
)

// Kind is what a file was recognised as, by its first bytes.
type Kind string

// The kinds. Whatever is none of the others counts as raw.
const (
	Raw     Kind = "raw"
	Sparse  Kind = "sparse"
	Payload Kind = "payload"
	Zip     Kind = "zip" // an OTA package, hopefully
)

// Detect recognises a file by its magic number.
func Detect(path string) (Kind, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	var magic [4]byte
	n, err := io.ReadFull(file, magic[:])
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	switch {
	case n < len(magic):
		return Raw, nil
	case binary.LittleEndian.Uint32(magic[:]) == sparseMagic:
		return Sparse, nil
	case string(magic[:]) == payloadMagic:
		return Payload, nil
	case bytes.Equal(magic[:], []byte("PK\x03\x04")):
		return Zip, nil
	}
	return Raw, nil
}

// Partition is one raw image that was written.
type Partition struct {
	Name   manifests.Name   `json:"name"`
	Path   string           `json:"path"`
	Size   int64            `json:"size"` // bytes
	SHA256 manifests.SHA256 `json:"sha256"`
}

// Options say what Import writes.
type Options struct {
	Dir  string           // partitions go to Dir/NAME.img; created if need be
	Only []manifests.Name // of a payload, these partitions; empty is all
	// Name is what the partition of a sparse image is called. By default it is
	// the file's name without its ending.
	Name     manifests.Name
	Holes    bool                                         // of sparse files, what none fills is meant to be empty
	Progress func(name manifests.Name, done, total int64) // bytes of one partition; may be nil
}

// image is one partition that can be written.
type image struct {
	name  manifests.Name
	size  int64
	write func(ctx context.Context, out target, progress func(done int64)) (manifests.SHA256, error)
}

// target is an empty file of the partition's size.
type target interface {
	io.WriterAt
	io.ReaderAt
}

// Import writes the raw partitions of a sparse image, a full payload, or an OTA
// zip. Nothing that exists is overwritten.
func Import(ctx context.Context, path string, o Options) ([]Partition, error) {
	out, err := o.importFile(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("import %s: %w", path, err)
	}
	return out, nil
}

func (o Options) importFile(ctx context.Context, path string) (_ []Partition, err error) {
	kind, err := Detect(path)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	images, err := o.read(file, info.Size(), kind, path)
	if err != nil {
		return nil, err
	}
	return o.writeAll(ctx, images)
}

// read checks all tables of the file and says what can be written.
func (o Options) read(file io.ReaderAt, size int64, kind Kind, path string) ([]image, error) {
	switch kind {
	case Sparse:
		return o.readSparse(file, size, path)
	case Payload, Zip:
		if kind == Zip {
			section, err := payloadInZip(file, size)
			if err != nil {
				return nil, err
			}
			file, size = section, section.Size()
		}
		p, err := readPayload(file, size)
		if err != nil {
			return nil, err
		}
		return p.images(o.Only)
	}
	return nil, errors.New("it is neither an Android sparse image nor a payload.bin nor a zip that holds one; a raw image needs no import")
}

func (o Options) readSparse(file io.ReaderAt, size int64, path string) ([]image, error) {
	others, err := siblings(path)
	if err != nil {
		return nil, err
	}
	if len(others) > 0 && !o.Holes {
		return nil, fmt.Errorf("%s looks like another part of it; name all parts (SLOT=%s.*), or say --holes if this one is the whole", others[0], strings.TrimSuffix(path, filepath.Ext(path)))
	}
	name := o.Name
	if name == "" {
		base := filepath.Base(path)
		if name, err = manifests.ParseName(strings.TrimSuffix(base, filepath.Ext(base))); err != nil {
			return nil, fmt.Errorf("the name of the partition: %w", err)
		}
	}
	s, err := readSparse(file, size)
	if err != nil {
		return nil, err
	}
	write := func(ctx context.Context, out target, progress func(int64)) (manifests.SHA256, error) {
		return s.write(ctx, out, progress)
	}
	return []image{{name, s.size(), write}}, nil
}

// writeAll writes every partition under a name of no meaning, and names them
// once all of them hold.
func (o Options) writeAll(ctx context.Context, images []image) (_ []Partition, err error) {
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	for _, m := range images {
		if _, err := os.Lstat(o.path(m.name)); !errors.Is(err, fs.ErrNotExist) {
			return nil, errors.Join(err, fmt.Errorf("%s exists; remove it or choose another directory", o.path(m.name)))
		}
	}
	var temps []string
	defer func() {
		for _, t := range temps {
			if gone := os.Remove(t); !errors.Is(gone, fs.ErrNotExist) {
				err = errors.Join(err, gone)
			}
		}
	}()
	out := make([]Partition, len(images))
	for i, m := range images {
		file, err := os.CreateTemp(o.Dir, ".new-*")
		if err != nil {
			return nil, err
		}
		temps = append(temps, file.Name())
		sum, err := o.fill(ctx, file, m)
		if err = errors.Join(err, file.Close()); err != nil {
			return nil, fmt.Errorf("partition %s: %w", m.name, err)
		}
		out[i] = Partition{m.name, o.path(m.name), m.size, sum}
	}
	for i, temp := range temps {
		if err := os.Rename(temp, out[i].Path); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (o Options) fill(ctx context.Context, file *os.File, m image) (manifests.SHA256, error) {
	if err := file.Truncate(m.size); err != nil {
		return manifests.SHA256{}, err
	}
	progress := func(done int64) {
		if o.Progress != nil {
			o.Progress(m.name, done, m.size)
		}
	}
	sum, err := m.write(ctx, file, progress)
	if err != nil {
		return sum, err
	}
	return sum, errors.Join(file.Chmod(0o644), file.Sync())
}

func (o Options) path(name manifests.Name) string { return filepath.Join(o.Dir, string(name)+".img") }

// chosen tells whether a partition is asked for.
func chosen(only []manifests.Name, name manifests.Name) bool {
	return len(only) == 0 || slices.Contains(only, name)
}
