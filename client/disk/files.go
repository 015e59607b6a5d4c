package disk

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
)

// Unfinished is added to the name of a file that Replace is writing.
const Unfinished = ".new"

// Replace makes data the content of a file, durably: it is written under
// another name and synced before it takes the name, and the directory is synced
// after. After an error or a power cut the file is the one before or the one
// after, and the next Replace takes away what was left unfinished.
func Replace(d Disk, path string, data []byte) error {
	// A rename that was cut short may have left both names on the same bytes:
	// to write over them would be to write over the file.
	if err := d.Remove(path + Unfinished); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := write(d, path+Unfinished, data); err != nil {
		return err
	}
	if err := d.Rename(path+Unfinished, path); err != nil {
		return err
	}
	return d.SyncDir(filepath.Dir(path))
}

// write makes a file. A part of one is taken away again: it holds room that a
// full disk needs.
func write(d Disk, path string, data []byte) error {
	f, err := d.Create(path, 0)
	if err != nil {
		return err
	}
	if len(data) > 0 {
		_, err = f.WriteAt(data, 0)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, d.Remove(path))
	}
	return nil
}

// ReadFile gives the content of a file, and of a longer one than limit a byte
// more.
func ReadFile(d Disk, path string, limit int64) ([]byte, error) {
	f, err := d.Open(path, Read)
	if err != nil {
		return nil, err
	}
	size, err := f.Size()
	data := make([]byte, max(0, min(size, limit+1)))
	if err == nil && len(data) > 0 {
		if _, err = f.ReadAt(data, 0); errors.Is(err, io.EOF) {
			err = nil
		}
	}
	return data, errors.Join(err, f.Close())
}
