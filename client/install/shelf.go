package install

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/image"
	"github.com/candor-ota/candor/manifests/patch"
)

// Shelf keeps indexes and patch tables in a directory, so that none is fetched
// or made twice. Of each image of a slot it keeps the three newest indexes (of
// what stands there, of what is being written, of what an abandoned update
// left) and one table. Nothing on it is trusted: a file whose checksum does not
// hold is as good as none.
type Shelf struct {
	Disk disk.Disk
	Dir  string // exists
}

// A file on the shelf ends with the SHA-256 of all before.
const (
	generations   = 3
	checksumBytes = sha256.Size
)

// NeedBytes is how much room a shelf takes for an installation, beyond what it
// has: the new index, one of the image that runs, one that is being written, and
// a table.
func (s *Shelf) NeedBytes(images []manifests.Image) (bytes int64) {
	for _, m := range images {
		table := int64(0)
		for _, p := range m.Patches {
			table = max(table, p.Table.Size)
		}
		bytes += 3*m.Index.Size + table
	}
	return max(0, bytes-s.used())
}

// used is how much stands on the shelf. What cannot be read counts nothing.
func (s *Shelf) used() (bytes int64) {
	names, err := s.Disk.List(s.Dir)
	if err != nil {
		return 0
	}
	for _, name := range names {
		f, err := s.Disk.Open(filepath.Join(s.Dir, name), disk.Read)
		if err != nil {
			continue
		}
		if size, err := f.Size(); err == nil {
			bytes += size
		}
		if f.Close() != nil {
			return bytes
		}
	}
	return bytes
}

func (s *Shelf) indexPath(slot string, name manifests.Name, generation int) string {
	return filepath.Join(s.Dir, fmt.Sprintf("%s-%s.%d.idx", slot, name, generation))
}

func (s *Shelf) tablePath(slot string, name manifests.Name) string {
	return filepath.Join(s.Dir, fmt.Sprintf("%s-%s.table", slot, name))
}

// read gives a file from the shelf, nil if there is none that holds.
func (s *Shelf) read(path string, most int64) []byte {
	f, err := s.Disk.Open(path, disk.Read)
	if err != nil {
		return nil
	}
	size, err := f.Size()
	var data []byte
	if err == nil && size >= checksumBytes && size <= most+checksumBytes {
		data = make([]byte, size)
		err = readAll(f, data, 0)
	}
	if f.Close() != nil || err != nil || len(data) == 0 {
		return nil
	}
	data, sum := data[:size-checksumBytes], data[size-checksumBytes:]
	if sha256.Sum256(data) != [checksumBytes]byte(sum) {
		return nil
	}
	return data
}

// write puts a file onto the shelf, durably.
func (s *Shelf) write(path string, data []byte) error {
	sum := sha256.Sum256(data)
	if err := disk.Replace(s.Disk, path, append(data[:len(data):len(data)], sum[:]...)); err != nil {
		return fmt.Errorf("keep index: %w", err)
	}
	return nil
}

// keepIndex adds an index of what stands in a slot, or will. The oldest goes.
func (s *Shelf) keepIndex(slot string, name manifests.Name, data []byte) error {
	if s == nil {
		return nil
	}
	for g := generations - 1; g > 0; g-- {
		from := s.indexPath(slot, name, g-1)
		if err := s.move(from, s.indexPath(slot, name, g)); err != nil {
			return fmt.Errorf("keep index: %w", err)
		}
	}
	return s.write(s.indexPath(slot, name, 0), data)
}

// move renames a file that may not be there.
func (s *Shelf) move(from, to string) error {
	f, err := s.Disk.Open(from, disk.Read)
	if err != nil {
		return nil // there is none, or none that could be read
	}
	return errors.Join(f.Close(), s.Disk.Rename(from, to))
}

// index finds the index of an image among those of a slot.
func (s *Shelf) index(slot string, name manifests.Name, sum manifests.SHA256) []byte {
	for g := range generations {
		data := s.indexAt(slot, name, g)
		if x, err := image.ParseHeader(data); err == nil && x.ImageSHA256 == sum {
			return data
		}
	}
	return nil
}

// indexAt gives an index by its age, 0 for the newest.
func (s *Shelf) indexAt(slot string, name manifests.Name, generation int) []byte {
	if s == nil {
		return nil
	}
	return s.read(s.indexPath(slot, name, generation), image.MaxIndexBytes)
}

// table gives the table that is kept for a slot, whatever it is.
func (s *Shelf) table(slot string, name manifests.Name) []byte {
	if s == nil {
		return nil
	}
	return s.read(s.tablePath(slot, name), patch.MaxTableBytes)
}
