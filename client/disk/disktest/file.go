package disktest

import (
	"errors"
	"fmt"
	"io/fs"
)

type file struct {
	disk     *Disk
	path     string
	inode    *inode
	at       int // of inode
	writable bool
}

func (f *file) ReadAt(b []byte, at int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.disk.look(Read, f.path); err != nil {
		return 0, err
	}
	return f.inode.now.read(b, at)
}

// WriteAt may survive a cut in part, also the one that cuts it short.
func (f *file) WriteAt(b []byte, at int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if !f.writable {
		return 0, fmt.Errorf("write %s: %w", f.path, fs.ErrPermission)
	}
	n, short := f.disk.take(f.path, len(b))
	if n == 0 && (short != nil || len(b) == 0) {
		return 0, short
	}
	err := f.disk.do(&op{kind: Write, path: f.path, inode: f.at, change: f.inode.now.writing(b[:n], at)})
	if err != nil {
		return 0, errors.Join(err, short)
	}
	return n, short
}

func (f *file) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return f.disk.do(&op{kind: Sync, path: f.path, inode: f.at})
}

func (f *file) Size() (int64, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.disk.dark(f.disk.left == 0); err != nil {
		return 0, err
	}
	return f.inode.now.size, nil
}

func (f *file) Close() error { return nil }
