package build

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// source is a raw image that must not change while it is read.
type source struct {
	file   *os.File
	before fs.FileInfo
	size   int64
	read   int64
}

func openSource(path string) (*source, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s := &source{file: file}
	if err := s.measure(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return s, nil
}

func (s *source) measure() (err error) {
	if s.before, err = s.file.Stat(); err != nil {
		return err
	}
	if s.before.IsDir() {
		return fmt.Errorf("%s is a directory; a raw image is needed", s.file.Name())
	}
	// A block device states no size; its end does.
	if s.size, err = s.file.Seek(0, io.SeekEnd); err != nil {
		return fmt.Errorf("the size cannot be told beforehand: %w", err)
	}
	if _, err = s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return checkSize(s.size)
}

// Read gives the image, and an error where it is longer or shorter than it was.
func (s *source) Read(b []byte) (int, error) {
	n, err := s.file.Read(b)
	s.read += int64(n)
	if s.read > s.size || (errors.Is(err, io.EOF) && s.read != s.size) {
		return n, s.changed()
	}
	return n, err
}

// unchanged is asked once everything has been read.
func (s *source) unchanged() error {
	after, err := s.file.Stat()
	if err != nil {
		return err
	}
	if after.Size() != s.before.Size() || !after.ModTime().Equal(s.before.ModTime()) {
		return s.changed()
	}
	return nil
}

func (s *source) changed() error {
	return fmt.Errorf("the image changed while it was read (it had %d bytes); let its build finish, then start again", s.size)
}
