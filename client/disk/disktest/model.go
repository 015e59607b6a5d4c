package disktest

import (
	"maps"
	"path/filepath"
	"slices"
)

// model is what is on a disk: as programs see it, as it is on the medium, and
// what lies between.
type model struct {
	inodes []*inode
	live   map[string]int // names, as programs see them: places in inodes
	safe   map[string]int // names as of the last SyncDir
	moves  []move         // since, in order
	mark   int
}

// inode is a file, whatever its names.
type inode struct {
	now     content
	safe    content // as of the last Sync
	pending []change
}

// move is a change of names that a SyncDir has yet to cover: from gets the name
// to. Without from it is a new name, without to one that is taken away.
type move struct {
	from, to string
	inode    int
}

func (m move) dir() string {
	if m.to != "" {
		return filepath.Dir(m.to)
	}
	return filepath.Dir(m.from)
}

func newModel() *model { return &model{live: map[string]int{}, safe: map[string]int{}} }

// clone is a model of its own.
func (m *model) clone() *model {
	c := &model{live: maps.Clone(m.live), safe: maps.Clone(m.safe), moves: slices.Clone(m.moves)}
	for _, n := range m.inodes {
		c.inodes = append(c.inodes, &inode{n.now.share(), n.safe.share(), slices.Clone(n.pending)})
	}
	return c
}

// op is one operation that changes something.
type op struct {
	kind   Kind
	path   string
	to     string // of a Rename
	inode  int    // of a Write or a Sync; of a mark, its number
	size   int64  // of a Create
	change change // of a Write
}

func (m *model) apply(o *op) {
	switch o.kind {
	case Create:
		m.create(o.path, o.size)
	case Write:
		n := m.inodes[o.inode]
		n.now.apply(&o.change, nil)
		n.pending = append(n.pending, o.change)
	case Sync:
		n := m.inodes[o.inode]
		n.safe, n.pending = n.now.share(), nil
	case Rename:
		at := m.live[o.path]
		delete(m.live, o.path)
		m.live[o.to] = at
		m.moves = append(m.moves, move{o.path, o.to, at})
	case Link:
		m.live[o.to] = m.live[o.path]
		m.moves = append(m.moves, move{"", o.to, m.live[o.path]})
	case Remove:
		delete(m.live, o.path)
		m.moves = append(m.moves, move{from: o.path})
	case SyncDir:
		m.syncDir(o.path)
	case mark:
		m.mark = o.inode
	}
}

// create empties a file that is there, whatever other names it has.
func (m *model) create(path string, size int64) {
	at, ok := m.live[path]
	if !ok {
		at = len(m.inodes)
		m.inodes = append(m.inodes, new(inode))
		m.live[path] = at
		m.moves = append(m.moves, move{"", path, at})
	}
	if n := m.inodes[at]; ok || size > 0 {
		n.now.truncate()
		n.now.size = size
		n.pending = append(n.pending, change{empties: true, size: size})
	}
}

func (m *model) syncDir(dir string) {
	maps.DeleteFunc(m.safe, func(name string, _ int) bool { return filepath.Dir(name) == dir })
	for name, at := range m.live {
		if filepath.Dir(name) == dir {
			m.safe[name] = at
		}
	}
	m.moves = slices.DeleteFunc(m.moves, func(v move) bool { return v.dir() == dir })
}

// fingerprint tells disks apart by what programs see of a directory, or of all.
func (m *model) fingerprint(dir string) uint64 {
	all := uint64(0)
	for name, at := range m.live {
		if dir == "" || filepath.Dir(name) == dir {
			all += mix(sum([]byte(name)) ^ m.inodes[at].now.fingerprint())
		}
	}
	return all
}
