package disktest

import (
	"fmt"
	"syscall"
)

// faults are the ways in which a disk fails.
type faults struct {
	left   int // operations that change something until the power is gone, the one within which it goes included; -1 for ever
	room   int64
	short  int // bytes of the next write that are written
	shorts string
	fail   func(Kind, string) error
	ignore func(Kind, string) bool
}

// CutAfter cuts the power within the operation after n more that change
// something.
func (d *Disk) CutAfter(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left = n + 1
}

// Room lets so many more bytes be written; then the disk is full.
func (d *Disk) Room(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.room = bytes
}

// Short has the next write to a file write so many bytes and no more, once.
func (d *Disk) Short(path string, bytes int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shorts, d.short = path, bytes
}

// Fail asks before each operation whether it fails, and how; nil ends that.
func (d *Disk) Fail(how func(kind Kind, path string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = how
}

// Ignore asks before each operation that changes something whether it is not
// done, although it says so; nil ends that. It is how a test asks what a Sync
// is good for.
func (d *Disk) Ignore(which func(kind Kind, path string) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ignore = which
}

// Spoil changes one byte of a file, on the medium too, and nobody is told.
func (d *Disk) Spoil(path string, at int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	i, err := d.find(Write, path)
	if err != nil {
		return err
	}
	n := d.model.inodes[i]
	var b [1]byte
	if _, err := n.now.read(b[:], at); err != nil {
		return fmt.Errorf("spoil byte %d of %s: %w", at, path, err)
	}
	b[0] ^= 0xff
	ch := n.now.writing(b[:], at)
	n.now.apply(&ch, nil)
	n.pending = append(n.pending, ch)
	if d.base != nil {
		d.log = append(d.log, op{kind: Write, path: path, inode: i, change: ch}, op{kind: Sync, path: path, inode: i})
	}
	n.safe, n.pending = n.now.share(), nil
	return nil
}

func (d *Disk) dark(cut bool) error {
	if cut {
		return ErrPower
	}
	return nil
}

// look is asked before each operation that changes nothing.
func (d *Disk) look(kind Kind, path string) error {
	if d.left == 0 {
		return ErrPower
	}
	if d.fail != nil {
		return d.fail(kind, path)
	}
	return nil
}

// change is asked before each operation that changes something: whether the
// power is cut within it, and how it fails.
func (d *Disk) change(kind Kind, path string) (cut bool, err error) {
	if d.left == 0 {
		return false, ErrPower
	}
	if d.left > 0 {
		d.left--
		cut = d.left == 0
	}
	if d.fail != nil {
		err = d.fail(kind, path)
	}
	return cut, err
}

func (d *Disk) ignored(kind Kind, path string) bool { return d.ignore != nil && d.ignore(kind, path) }

// take is the room for n bytes, or what is left of it.
func (d *Disk) take(path string, n int) (int, error) {
	if d.shorts != "" && d.shorts == path {
		n, d.shorts = min(n, d.short), ""
		return n, fmt.Errorf("write %s: %w", path, syscall.ENOSPC)
	}
	if int64(n) > d.room {
		n = int(d.room)
		d.room = 0
		return n, fmt.Errorf("write %s: %w", path, syscall.ENOSPC)
	}
	d.room -= int64(n)
	return n, nil
}
