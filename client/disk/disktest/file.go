package disktest

import "io"

type file struct {
	disk *Disk
	c    *content
}

func (f *file) ReadAt(b []byte, at int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.left == 0 {
		return 0, ErrPower
	}
	if at >= int64(len(f.c.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.c.data[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt may survive a cut in part, also the one that cuts it short.
func (f *file) WriteAt(b []byte, at int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	cut := f.disk.step()
	n, full := f.disk.take(len(b))
	b = append([]byte(nil), b[:n]...)
	if end := int(at) + len(b); end > len(f.c.data) {
		f.c.data = append(f.c.data, make([]byte, end-len(f.c.data))...)
	}
	copy(f.c.data[at:], b)
	f.c.unsynced = append(f.c.unsynced, write{at, b})
	if cut != nil {
		return 0, cut
	}
	return n, full
}

func (f *file) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.disk.step(); err != nil {
		return err
	}
	f.c.synced, f.c.unsynced = append(f.c.synced[:0], f.c.data...), nil
	return nil
}

func (f *file) Size() (int64, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return int64(len(f.c.data)), nil
}

func (f *file) Close() error { return nil }
