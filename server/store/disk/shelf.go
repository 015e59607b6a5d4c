package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Handsets read a file in ranges, thousands of times. What was read stays open
// for a moment: opening it anew costs ten times as many system calls as looking
// whether its name still means it. Nobody has to say what was replaced or
// deleted, by whomever; only its space may come back idleTime later.
const (
	idleFiles = 64 // out of the files that overload.Defaults leaves to the store
	idleTime  = 10 * time.Second
)

// shelf keeps files that nobody reads.
type shelf struct {
	mu     sync.Mutex
	idle   []shelved // the one that was put back first is first
	tidy   *time.Timer
	closed bool
	failed error // the first that came of closing one
}

type shelved struct {
	key   string
	f     *os.File
	st    fs.FileInfo
	since time.Time
}

// take gives a file that was opened by this name, if there is one.
func (s *shelf) take(key string) (shelved, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, one := range slices.Backward(s.idle) {
		if one.key == key {
			s.idle = slices.Delete(s.idle, i, i+1)
			return one, true
		}
	}
	return shelved{}, false
}

// put takes a file back, and closes the oldest where they become too many.
func (s *shelf) put(one shelved) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return one.f.Close()
	}
	one.since = time.Now()
	s.idle = append(s.idle, one)
	if s.tidy == nil {
		s.tidy = time.AfterFunc(idleTime, s.expire)
	}
	if len(s.idle) > idleFiles {
		s.first(1)
	}
	return nil
}

// first closes the oldest. The lock is held.
func (s *shelf) first(n int) {
	for _, one := range s.idle[:n] {
		if err := one.f.Close(); s.failed == nil {
			s.failed = err
		}
	}
	s.idle = slices.Delete(s.idle, 0, n)
}

// expire closes what nobody has asked for.
func (s *shelf) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for n < len(s.idle) && time.Since(s.idle[n].since) >= idleTime {
		n++
	}
	s.first(n)
	s.tidy = nil
	if len(s.idle) > 0 {
		s.tidy = time.AfterFunc(idleTime-time.Since(s.idle[0].since), s.expire)
	}
}

// drop closes the files of a name, whose space is wanted.
func (s *shelf) drop(key string) error {
	for {
		one, ok := s.take(key)
		if !ok {
			return nil
		}
		if err := one.f.Close(); err != nil {
			return err
		}
	}
}

// close closes all, and each that is still read when it is put back.
func (s *shelf) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.first(len(s.idle))
	s.closed = true
	if s.tidy != nil {
		s.tidy.Stop()
	}
	err := s.failed
	s.failed = nil
	return err
}

// lend gives a file of the shelf that its name still means, from its beginning.
func (b *Blobs) lend(key string) (*File, fs.FileInfo, error) {
	one, ok := b.shelf.take(key)
	if !ok {
		return nil, nil, nil
	}
	st, err := os.Lstat(filepath.Join(b.root.Name(), filepath.FromSlash(key)))
	if err == nil && os.SameFile(st, one.st) {
		if _, err = one.f.Seek(0, io.SeekStart); err == nil {
			return &File{shelf: &b.shelf, key: key, st: st, f: one.f}, st, nil
		}
	}
	return nil, nil, one.f.Close() // it is opened as if it had not been there
}

// File is an object that is read. It is a file to the kernel, which can send
// it, until it is closed: then it may be another reader's, and a reader who
// comes too late gets os.ErrClosed.
type File struct {
	shelf *shelf
	key   string
	st    fs.FileInfo

	mu     sync.Mutex // held while it is used
	f      *os.File   // nil: closed
	failed bool       // not for anybody else
}

// Read gives the next bytes.
func (o *File) Read(p []byte) (n int, err error) {
	err = o.use(func(f *os.File) error {
		n, err = f.Read(p)
		return err
	})
	return n, err
}

// Seek moves to an offset.
func (o *File) Seek(offset int64, whence int) (at int64, err error) {
	err = o.use(func(f *os.File) error {
		at, err = f.Seek(offset, whence)
		return err
	})
	return at, err
}

func (o *File) use(with func(*os.File) error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.f == nil {
		return os.ErrClosed
	}
	err := with(o.f)
	o.failed = o.failed || err != nil && !errors.Is(err, io.EOF)
	return err
}

// Close gives the file back.
func (o *File) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	f := o.f
	if o.f = nil; f == nil {
		return os.ErrClosed
	}
	if o.failed {
		return f.Close()
	}
	return o.shelf.put(shelved{key: o.key, f: f, st: o.st})
}

// SyscallConn is what sendfile is offered.
func (o *File) SyscallConn() (syscall.RawConn, error) { return raw{o}, nil }

// raw is a syscall.RawConn over a file that can be given back.
type raw struct{ o *File }

// Control is for what does not wait.
func (r raw) Control(with func(fd uintptr)) error {
	return r.use(func(c syscall.RawConn) error { return c.Control(with) })
}

// Read is for what reads.
func (r raw) Read(with func(fd uintptr) bool) error {
	return r.use(func(c syscall.RawConn) error { return c.Read(with) })
}

// Write refuses: the file is only read.
func (raw) Write(func(fd uintptr) bool) error { return os.ErrPermission }

func (r raw) use(with func(syscall.RawConn) error) error {
	return r.o.use(func(f *os.File) error {
		c, err := f.SyscallConn()
		if err != nil {
			return err
		}
		return with(c)
	})
}
