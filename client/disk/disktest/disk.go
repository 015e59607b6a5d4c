// Package disktest is a disk in memory whose power can be cut between, and
// inside, any two operations, and which can be full.
//
// After a cut the disk holds what was synced, and of everything else any part:
// each write since the last Sync is there, missing, or torn; each name since the
// last SyncDir is the old one or the new one. Chance decides, from a seed.
package disktest

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"github.com/candor-ota/candor/client/disk"
)

// ErrPower is what every operation gives once the power is cut.
var ErrPower = errors.New("the power is cut")

// Disk is a disk.Disk. It is safe for concurrent use.
type Disk struct {
	mu      sync.Mutex
	chance  *rand.Rand
	left    int // operations that change something until the power is cut; -1 for ever
	room    int64
	names   map[string]*content
	durable map[string]*content // as of the last SyncDir
}

// content is a file, whatever its names.
type content struct {
	data     []byte
	synced   []byte
	unsynced []write
}

type write struct {
	at   int64
	data []byte
}

var _ disk.Disk = (*Disk)(nil)

// New makes an empty disk with power for ever and room for everything.
func New(seed uint64) *Disk {
	return &Disk{
		chance: rand.New(rand.NewPCG(seed, 0)), left: -1, room: 1 << 62,
		names: map[string]*content{}, durable: map[string]*content{},
	}
}

// CutAfter cuts the power within the operation after n more that change
// something.
func (d *Disk) CutAfter(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left = n
}

// Room lets so many more bytes be written; then the disk is full.
func (d *Disk) Room(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.room = bytes
}

// Restart gives the power back, and with it what survived.
func (d *Disk) Restart() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left = -1
	survived := map[string]*content{}
	for name, c := range d.durable {
		survived[name] = c
	}
	for name, c := range d.names {
		if d.chance.IntN(2) == 0 {
			survived[name] = c
		}
	}
	settled := map[*content]bool{}
	for _, c := range survived {
		if !settled[c] {
			settled[c] = true
			c.settle(d.chance)
		}
	}
	d.names, d.durable = survived, map[string]*content{}
	for name, c := range survived {
		d.durable[name] = c
	}
}

func (c *content) settle(chance *rand.Rand) {
	data := append([]byte(nil), c.synced...)
	for _, w := range c.unsynced {
		keep := w.data
		switch chance.IntN(3) {
		case 0:
			continue
		case 1:
			keep = keep[:chance.IntN(len(keep)+1)]
		}
		if end := int(w.at) + len(keep); end > len(data) {
			data = append(data, make([]byte, end-len(data))...)
		}
		copy(data[w.at:], keep)
	}
	c.data, c.synced, c.unsynced = data, append([]byte(nil), data...), nil
}

// step is asked before each operation that changes something.
func (d *Disk) step() error {
	if d.left == 0 {
		return ErrPower
	}
	if d.left > 0 {
		d.left--
	}
	return nil
}

// Open opens a file that exists.
func (d *Disk) Open(path string, _ disk.Mode) (disk.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok := d.names[path]
	switch {
	case d.left == 0:
		return nil, ErrPower
	case !ok:
		return nil, fmt.Errorf("open %s: %w", path, fs.ErrNotExist)
	}
	return &file{d, c}, nil
}

// Create makes a file of zeros.
func (d *Disk) Create(path string, size int64) (disk.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(); err != nil {
		return nil, err
	}
	c := &content{data: make([]byte, size)}
	d.names[path] = c
	return &file{d, c}, nil
}

// Rename gives a file another name.
func (d *Disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok := d.names[from]
	if !ok {
		return fmt.Errorf("rename %s: %w", from, fs.ErrNotExist)
	}
	if err := d.step(); err != nil {
		return err
	}
	delete(d.names, from)
	d.names[to] = c
	return nil
}

// Remove takes a name away.
func (d *Disk) Remove(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(); err != nil {
		return err
	}
	if _, ok := d.names[path]; !ok {
		return fmt.Errorf("remove %s: %w", path, fs.ErrNotExist)
	}
	delete(d.names, path)
	return nil
}

// MkdirAll has nothing to do: every directory is there.
func (d *Disk) MkdirAll(string) error { return nil }

// List gives the names in a directory.
func (d *Disk) List(dir string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var names []string
	for name := range d.names {
		if filepath.Dir(name) == dir {
			names = append(names, filepath.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

// SyncDir makes the names in a directory durable.
func (d *Disk) SyncDir(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(); err != nil {
		return err
	}
	for name := range d.durable {
		if _, ok := d.names[name]; !ok && filepath.Dir(name) == dir {
			delete(d.durable, name)
		}
	}
	for name, c := range d.names {
		if filepath.Dir(name) == dir {
			d.durable[name] = c
		}
	}
	return nil
}

// Shared is never so: there are no links here.
func (d *Disk) Shared(string) (bool, error) { return false, nil }

// take is the room for n bytes, or what is left of it.
func (d *Disk) take(n int) (int, error) {
	if int64(n) > d.room {
		n = int(d.room)
		d.room = 0
		return n, fmt.Errorf("write: %w", syscall.ENOSPC)
	}
	d.room -= int64(n)
	return n, nil
}
