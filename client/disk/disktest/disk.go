package disktest

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"

	"github.com/candor-ota/candor/client/disk"
)

// ErrPower is what every operation gives once the power is cut.
var ErrPower = errors.New("the power is cut")

// Kind names an operation.
type Kind string

// The operations.
const (
	Open    Kind = "open"
	Read    Kind = "read"
	Create  Kind = "create"
	Write   Kind = "write"
	Sync    Kind = "sync"
	Rename  Kind = "rename" // its path is the old name
	Link    Kind = "link"   // its path is the old name
	Remove  Kind = "remove"
	SyncDir Kind = "sync directory"
	List    Kind = "list"
	mark    Kind = "mark"
)

// Disk is a disk.Disk. It is safe for concurrent use.
type Disk struct {
	mu     sync.Mutex
	chance *rand.Rand
	model  *model
	faults
	base *model // when Record was called
	log  []op
}

var _ disk.Disk = (*Disk)(nil)

// New makes an empty disk with power for ever and room for everything.
func New(seed uint64) *Disk { return on(newModel(), seed) }

func on(m *model, seed uint64) *Disk {
	return &Disk{chance: rand.New(rand.NewPCG(seed, 0)), model: m, faults: faults{left: -1, room: 1 << 62}}
}

// Restart gives the power back, and with it what survived.
func (d *Disk) Restart() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left, d.base, d.log = -1, nil, nil
	d.model = d.model.crash(Outcome{"torn", d.chance.Uint64()})
}

// Clone gives a disk of its own with the same content, of which all is on the
// medium.
func (d *Disk) Clone() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	return on(d.model.crash(Outcome{"kept", 0}), 0)
}

// Record has the disk remember all operations that change something from now on.
func (d *Disk) Record() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.base, d.log = d.model.clone(), nil
}

// Recorded is how many operations were recorded.
func (d *Disk) Recorded() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.log)
}

// Walk starts where Record was called.
func (d *Disk) Walk() *Walk {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &Walk{model: d.base.clone(), ops: d.log}
}

// Mark notes in the record that something happened outside of the disk, which a
// power cut does not undo.
func (d *Disk) Mark(number int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.base != nil {
		d.log = append(d.log, op{kind: mark, inode: number})
	}
}

// Fingerprint tells disks apart by the names and the content of the files in a
// directory, or of all files with "".
func (d *Disk) Fingerprint(dir string) uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.model.fingerprint(dir)
}

// do asks the faults, and then changes something. A cut within the operation
// leaves it to chance, like all that was not synced; one that makes things
// durable is not begun.
func (d *Disk) do(o *op) error {
	cut, err := d.change(o.kind, o.path)
	if err != nil || cut && (o.kind == Sync || o.kind == SyncDir) {
		return errors.Join(err, d.dark(cut))
	}
	if !d.ignored(o.kind, o.path) {
		d.model.apply(o)
		if d.base != nil {
			d.log = append(d.log, *o)
		}
	}
	return d.dark(cut)
}

func (d *Disk) find(kind Kind, path string) (int, error) {
	at, ok := d.model.live[path]
	if !ok {
		return 0, &fs.PathError{Op: string(kind), Path: path, Err: fs.ErrNotExist}
	}
	return at, nil
}

// Open opens a file that exists.
func (d *Disk) Open(path string, mode disk.Mode) (disk.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.look(Open, path); err != nil {
		return nil, err
	}
	at, err := d.find(Open, path)
	if err != nil {
		return nil, err
	}
	return &file{d, path, d.model.inodes[at], at, mode == disk.Write}, nil
}

// Create makes a file of zeros.
func (d *Disk) Create(path string, size int64) (disk.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.do(&op{kind: Create, path: path, size: size}); err != nil {
		return nil, err
	}
	at := d.model.live[path]
	return &file{d, path, d.model.inodes[at], at, true}, nil
}

// Rename gives a file another name.
func (d *Disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if filepath.Dir(from) != filepath.Dir(to) {
		return fmt.Errorf("rename %s to %s: this disk renames within a directory only", from, to)
	}
	if _, err := d.find(Rename, from); err != nil {
		return err
	}
	return d.do(&op{kind: Rename, path: from, to: to})
}

// Link gives a file one more name.
func (d *Disk) Link(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.find(Link, from); err != nil {
		return err
	}
	return d.do(&op{kind: Link, path: from, to: to})
}

// Remove takes a name away.
func (d *Disk) Remove(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.find(Remove, path); err != nil {
		return errors.Join(err, d.dark(d.left == 0))
	}
	return d.do(&op{kind: Remove, path: path})
}

// MkdirAll has nothing to do: every directory is there.
func (d *Disk) MkdirAll(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.look(Create, dir)
}

// List gives the names in a directory.
func (d *Disk) List(dir string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.look(List, dir); err != nil {
		return nil, err
	}
	var names []string
	for name := range d.model.live {
		if filepath.Dir(name) == dir {
			names = append(names, filepath.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

// Files gives the paths of all files, sorted.
func (d *Disk) Files() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	names := make([]string, 0, len(d.model.live))
	for name := range d.model.live {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// SyncDir makes the names in a directory durable.
func (d *Disk) SyncDir(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.do(&op{kind: SyncDir, path: dir})
}

// Shared tells whether a file has other names.
func (d *Disk) Shared(path string) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, err := d.find(Open, path)
	if err != nil {
		return false, err
	}
	names := 0
	for _, other := range d.model.live {
		if other == at {
			names++
		}
	}
	return names > 1, nil
}
