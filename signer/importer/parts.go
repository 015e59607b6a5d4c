package importer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/candor-ota/candor/manifests"
)

// maxParts bounds the files that are open at a time.
const maxParts = 256

// ImportParts writes the raw partition that several sparse files hold together,
// such as super.img_sparsechunk.0 and on: each has the size of the whole, and
// does not care for what the others fill. No two may fill the same block. What
// none fills is refused, as a file may be missing, unless it lies between two
// blocks of one file, which then says so itself, or o.Holes is set. Files that
// are numbered must be there from 0 or 1 on. Nothing that exists is overwritten.
func ImportParts(ctx context.Context, paths []string, o Options) ([]Partition, error) {
	out, err := o.importParts(ctx, paths)
	if err != nil {
		return nil, fmt.Errorf("import %d sparse files: %w", len(paths), err)
	}
	return out, nil
}

func (o Options) importParts(ctx context.Context, paths []string) (_ []Partition, err error) {
	if len(paths) == 0 || len(paths) > maxParts {
		return nil, fmt.Errorf("name 1 to %d files", maxParts)
	}
	if err := complete(paths); err != nil {
		return nil, err
	}
	if o.Name == "" {
		if o.Name, err = wholeName(paths[0]); err != nil {
			return nil, err
		}
	}
	w := &whole{holes: o.Holes}
	defer func() { err = errors.Join(err, w.close()) }()
	for _, path := range paths {
		if err := w.open(ctx, path); err != nil {
			return nil, err
		}
	}
	if err := w.each(func(filled) error { return nil }); err != nil {
		return nil, err
	}
	return o.writeAll(ctx, []image{{o.Name, w.parts[0].size(), w.write}})
}

// number gives the number at the end of a file's name, and what is before it.
func number(path string) (before string, n int, ok bool) {
	ext := filepath.Ext(path)
	if len(ext) < 2 || strings.Trim(ext[1:], "0123456789") != "" {
		return path, 0, false
	}
	n, err := strconv.Atoi(ext[1:])
	return strings.TrimSuffix(path, ext), n, err == nil
}

// complete refuses numbered files of which one is missing, and any named twice.
func complete(paths []string) error {
	var numbers []int
	for i, path := range paths {
		if slices.Contains(paths[:i], path) {
			return fmt.Errorf("%s is named twice", path)
		}
		if _, n, ok := number(path); ok {
			numbers = append(numbers, n)
		}
	}
	if len(numbers) != len(paths) {
		return nil
	}
	slices.Sort(numbers)
	for i, n := range numbers {
		if first := min(numbers[0], 1); n != first+i {
			return fmt.Errorf("the file of number %d is missing", first+i)
		}
	}
	return nil
}

// wholeName is what a partition is called by the name of one of its parts.
func wholeName(path string) (manifests.Name, error) {
	base, _, _ := number(filepath.Base(path))
	base = strings.TrimSuffix(base, "_sparsechunk")
	name, err := manifests.ParseName(strings.TrimSuffix(base, filepath.Ext(base)))
	if err != nil {
		return "", fmt.Errorf("the name of the partition: %w", err)
	}
	return name, nil
}

// siblings gives the other parts of the split image that a numbered file seems
// to be one of.
func siblings(path string) ([]string, error) {
	before, _, ok := number(path)
	if !ok {
		return nil, nil
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		other := filepath.Join(filepath.Dir(path), e.Name())
		if b, _, ok := number(other); ok && filepath.Clean(b) == filepath.Clean(before) && other != filepath.Clean(path) {
			out = append(out, other)
		}
	}
	return out, nil
}

// whole is an image that several sparse files hold together.
type whole struct {
	parts []*sparse
	paths []string
	holes bool
	files []*os.File
}

func (w *whole) open(ctx context.Context, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	w.files = append(w.files, file)
	if err := w.add(ctx, file, path); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func (w *whole) close() error {
	var errs []error
	for _, file := range w.files {
		errs = append(errs, file.Close())
	}
	return errors.Join(errs...)
}

// add takes a file whose tables hold, and fits to those before. The checksums
// that it has are over itself alone, with zeros for what others fill.
func (w *whole) add(ctx context.Context, file *os.File, path string) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	s, err := readSparse(file, info.Size())
	if err != nil {
		return err
	}
	if len(w.parts) > 0 && (s.block != w.parts[0].block || s.blocks != w.parts[0].blocks) {
		return fmt.Errorf("%d blocks of %d bytes, but %s has %d of %d; they are not of one image", s.blocks, s.block, w.paths[0], w.parts[0].blocks, w.parts[0].block)
	}
	checked := s.checksum != 0
	if err := s.each(func(c sparseChunk) error { checked = checked || c.kind == chunkCRC32; return nil }); err != nil {
		return err
	}
	if checked {
		if _, err := s.write(ctx, nowhere{}, func(int64) {}); err != nil {
			return err
		}
	}
	w.parts, w.paths = append(w.parts, s), append(w.paths, path)
	return nil
}

// nowhere is a target that keeps nothing.
type nowhere struct{}

func (nowhere) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

// filled is what one file fills, or, with no file, what none does.
type filled struct {
	of            *sparse
	chunk         sparseChunk
	start, blocks int64
}

// each walks the image from its first block to its last.
func (w *whole) each(do func(filled) error) error {
	heads := make([]*walk, len(w.parts))
	for i, s := range w.parts {
		heads[i] = &walk{s: s, file: sparseHeaderBytes, part: i}
		if err := heads[i].next(); err != nil {
			return fmt.Errorf("%s: %w", w.paths[i], err)
		}
	}
	at, last := int64(0), -1
	for {
		h := first(heads)
		if h == nil {
			return w.none(filled{start: at, blocks: w.parts[0].blocks - at}, "", do)
		}
		switch {
		case h.start < at:
			return fmt.Errorf("block %d is filled by both %s and %s", h.start, w.paths[last], w.paths[h.part])
		case h.part == last && h.start > at:
			if err := do(filled{start: at, blocks: h.start - at}); err != nil {
				return err
			}
		case h.start > at:
			if err := w.none(filled{start: at, blocks: h.start - at}, w.paths[h.part], do); err != nil {
				return err
			}
		}
		if err := do(filled{h.s, h.chunk, h.start, h.chunk.blocks}); err != nil {
			return fmt.Errorf("%s: %w", w.paths[h.part], err)
		}
		at, last = h.start+h.chunk.blocks, h.part
		if err := h.next(); err != nil {
			return fmt.Errorf("%s: %w", w.paths[h.part], err)
		}
	}
}

// none is for blocks that no file fills and no file says are left out.
func (w *whole) none(f filled, before string, do func(filled) error) error {
	if f.blocks == 0 {
		return nil
	}
	if !w.holes {
		where := "at the end"
		if before != "" {
			where = "before those of " + before
		}
		return fmt.Errorf("blocks %d to %d, %s, are filled by no file: one is missing, or they are meant to be empty: then say --holes", f.start, f.start+f.blocks-1, where)
	}
	return do(f)
}

// walk goes through the chunks of one file that fill something.
type walk struct {
	s     *sparse
	part  int
	file  int64  // where the next chunk is in the file
	index uint32 // its number
	chunk sparseChunk
	start int64 // block of chunk
	done  bool
}

func (w *walk) next() error {
	w.start += w.chunk.blocks
	for ; w.index < w.s.chunks; w.index++ {
		c, err := w.s.chunkAt(w.file)
		if err != nil {
			return fmt.Errorf("sparse chunk %d: %w", w.index, err)
		}
		w.file = c.body + c.length
		if w.chunk = c; c.kind == chunkRaw || c.kind == chunkFill {
			w.index++
			return nil
		}
		w.start += c.blocks
	}
	w.done = true
	return nil
}

// first gives the walk that is at the lowest block; nil if all are at the end.
func first(walks []*walk) (out *walk) {
	for _, w := range walks {
		if !w.done && (out == nil || w.start < out.start) {
			out = w
		}
	}
	return out
}

// write streams the image into an empty file of its size.
func (w *whole) write(ctx context.Context, out target, progress func(int64)) (manifests.SHA256, error) {
	to := &sparseWriter{ctx: ctx, out: out, sum: sha256.New(), buf: make([]byte, bufferBytes), zero: make([]byte, bufferBytes), progress: progress}
	err := w.each(func(f filled) error {
		if f.of == nil {
			return to.repeat(to.zero, f.blocks*w.parts[0].block)
		}
		return to.chunk(f.of, f.chunk)
	})
	return manifests.SHA256(to.sum.Sum(nil)), err
}
