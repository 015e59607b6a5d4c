package receipts

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/manifests"
)

const (
	maxFileBytes = MaxBytes + maxEntryBytes
	maxPending   = 256 // entries that wait in memory for a disk that takes them
	memory       = 32  // of the newest entries, by which repeats are known

	// SetAside is added to the name of a log that does not hold.
	SetAside = ".damaged"
)

// Log is the receipt log of one handset. Not for concurrent use. It reads the
// file at the first Append: a handset to which nothing happens never does.
type Log struct {
	disk    disk.Disk
	path    string
	clock   func() (now time.Time, set bool)
	entries int   // at most, in the file
	bytes   int64 // at most, in the file

	loaded  bool
	last    *Entry // the newest in the file; nil if there is none
	count   int
	size    int64
	recent  []manifests.SHA256 // substances of the newest entries
	pending []Entry            // not in the file yet
}

// Open names the log at path. It touches nothing. The clock also says whether it
// was ever set; entries of a handset without one have no time.
func Open(d disk.Disk, path string, clock func() (now time.Time, set bool)) *Log {
	return &Log{disk: d, path: path, clock: clock, entries: MaxEntries, bytes: MaxBytes}
}

// Append adds an entry. It is durable when Append returns nil. After an error
// it waits in memory for the next Append, as long as this process lives.
func (l *Log) Append(e Entry) error { return l.add(e, false) }

// AppendOnce is Append for what a power cut can make happen twice: an entry
// that says the same as one of the newest 32 is not added again. It is durable
// too when AppendOnce returns nil.
func (l *Log) AppendOnce(e Entry) error { return l.add(e, true) }

func (l *Log) add(e Entry, once bool) error {
	e.tidy()
	l.stamp(&e)
	same, err := e.substance()
	if err != nil {
		return err
	}
	err = l.load()
	if !once || !l.knows(same) {
		l.wait(e)
	}
	if err != nil {
		return err
	}
	return l.flush()
}

func (l *Log) stamp(e *Entry) {
	if now, set := l.clock(); e.Time == nil && set {
		e.Time = new(manifests.At(now))
	}
}

// wait queues an entry. The oldest goes where a disk takes nothing for long.
func (l *Log) wait(e Entry) {
	if len(l.pending) == maxPending {
		l.pending = slices.Delete(l.pending, 0, 1)
	}
	l.pending = append(l.pending, e)
}

func (l *Log) knows(substance manifests.SHA256) bool {
	return slices.Contains(l.recent, substance) || slices.ContainsFunc(l.pending, func(e Entry) bool {
		s, err := e.substance()
		return err == nil && s == substance
	})
}

// flush writes what waits, in order.
func (l *Log) flush() error {
	for len(l.pending) > 0 {
		if err := l.write(l.pending[0]); err != nil {
			l.loaded = false // what is on the disk now is found out anew
			return fmt.Errorf("receipts %s: %w", l.path, err)
		}
		l.pending = l.pending[1:]
	}
	return nil
}

func (l *Log) write(e Entry) error {
	line, err := l.link(&e)
	if err != nil {
		return err
	}
	if l.count >= l.entries || l.size+int64(len(line)) > l.bytes {
		if err := l.rotate(); err != nil {
			return err
		}
	}
	if l.last == nil {
		err = l.replace(line)
	} else {
		err = l.extend(line)
	}
	if err != nil {
		return err
	}
	return l.took(&e, len(line))
}

// link makes the entry the next one.
func (l *Log) link(e *Entry) ([]byte, error) {
	e.Seq, e.Prev = 1, manifests.SHA256{}
	if l.last != nil {
		e.Seq, e.Prev = l.last.next()
	}
	return e.line()
}

func (l *Log) took(e *Entry, n int) error {
	same, err := e.substance()
	if err != nil {
		return err
	}
	l.last, l.count, l.size = e, l.count+1, l.size+int64(n)
	if l.recent = append(l.recent, same); len(l.recent) > memory {
		l.recent = l.recent[1:]
	}
	return nil
}

// extend writes one line behind the others.
func (l *Log) extend(line []byte) error {
	f, err := l.disk.Open(l.path, disk.Write)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(line, l.size)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// replace puts a new file in the place of the old one: whole or not at all.
func (l *Log) replace(data []byte) error { return disk.Replace(l.disk, l.path, data) }

// read gives the bytes of the file, one more than is ever written at most.
func (l *Log) read() ([]byte, error) {
	data, err := disk.ReadFile(l.disk, l.path, maxFileBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// Read verifies and gives all entries of the file. It changes nothing. With an error that wraps ErrDamaged the chain
// ends where it ceases to hold.
func (l *Log) Read() (*Chain, error) {
	data, err := l.read()
	if err != nil {
		return nil, fmt.Errorf("receipts %s: %w", l.path, err)
	}
	c, err := Parse(data)
	if err != nil {
		return c, fmt.Errorf("receipts %s: %w", l.path, err)
	}
	return c, nil
}
