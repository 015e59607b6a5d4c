package disk

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// forget drops the pages of a file that are clean, which after a Sync is all of
// them: what is read next comes from the medium.
func forget(f *os.File) error {
	return control(f, func(fd int) error { return unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED) })
}

// dataSync is fdatasync: the data, and what of the metadata is needed to read
// it back.
func dataSync(f *os.File) error { return control(f, unix.Fdatasync) }

func control(f *os.File, call func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failure error
	err = conn.Control(func(fd uintptr) {
		for failure = call(int(fd)); errors.Is(failure, unix.EINTR); failure = call(int(fd)) {
		}
	})
	return errors.Join(err, failure)
}

func names(info fs.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return wide(s.Nlink)
	}
	return 1
}

// wide takes what is 32 or 64 bits wide, by processor.
func wide[T uint32 | uint64](n T) uint64 { return uint64(n) }
