// Package disk is the one way in which the agent touches a disk, so that a test
// can stand in for it: fill it, break it, or cut the power within any operation
// (disktest). Only what an integrator or an owner hands over (configuration,
// credential, factory image) is read without it, and locks are the system's.
//
// Durability. What WriteAt wrote is safe once Sync has returned; a Create, a
// Rename or a Remove, once SyncDir of its directory has. Until then a power cut
// may keep it, lose it, or keep a part. Replace is all of that in one.
//
// Failure. Errors are those of the operating system, wrapped with the path:
// fs.ErrNotExist and syscall.ENOSPC are recognised with errors.Is.
package disk

import "io"

// File is an open file or partition. It is safe for concurrent use as far as
// the ranges do not overlap.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error) // bytes
	Sync() error          // returns when every write before it is on the medium
}

// Mode says what a file is opened for.
type Mode int

// The modes. Neither creates a file.
const (
	Read   Mode = iota // the file as the system sees it
	Medium             // for reading back: what the system keeps in memory is dropped first, where it can be
	Write              // reading and writing
)

// Disk is where files are. Paths are as the operating system's.
type Disk interface {
	Open(path string, mode Mode) (File, error)
	// Create makes a file of size zero bytes, replacing one of that name, and
	// opens it for writing. It does not reserve the space.
	Create(path string, size int64) (File, error)
	// Rename gives a file a new name, in place of the file that has it.
	Rename(from, to string) error
	Remove(path string) error
	SyncDir(dir string) error
	// MkdirAll makes a directory that only this user enters, and those above it.
	// They are durable when it returns.
	MkdirAll(dir string) error
	// List gives the names in a directory, sorted.
	List(dir string) ([]string, error)
	// Shared tells whether the bytes of a file are not its own: it has other
	// names too (hard links), or nobody may write to it.
	Shared(path string) (bool, error)
}
