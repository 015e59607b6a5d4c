package publish

import (
	"bytes"
	"fmt"
	"maps"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
)

// Tree is a consistent state of everything small: metadata and documents. It
// is read without locks and never changes.
type Tree struct {
	files    map[string]*File
	Head     int64 // number in the ledger; it only rises
	Snapshot int64 // version
	// Timestamp is the version of the timestamp.
	Timestamp int64
	Issued    time.Time
	Expires   time.Time // of the timestamp
	// Counters are those of the products' rollouts documents. It is not to be
	// changed.
	Counters map[manifests.Product]uint64
}

// File gives a file by its path, such as "metadata/timestamp.json"; nil if
// there is none.
func (t *Tree) File(path string) *File { return t.files[path] }

// newTree takes over from the tree before what has not changed, with its
// compressed forms: a publish costs what is new in it, however much is there.
func newTree(g *generation, issued time.Time, before *Tree) *Tree {
	t := &Tree{
		files: make(map[string]*File, len(g.bodies)+1), Head: g.number, Snapshot: g.Versions[metadata.SNAPSHOT], Timestamp: g.Versions[metadata.TIMESTAMP],
		Issued: issued, Expires: issued.Add(TimestampLife),
	}
	for path, body := range g.bodies {
		t.files[path] = before.kept(path, body)
	}
	t.files[layout.TimestampFile] = NewFile(g.Timestamp, false)
	return t
}

func (t *Tree) kept(path string, body []byte) *File {
	if t != nil {
		if f := t.files[path]; f != nil && f.Immutable && sameBytes(f.Body, body) {
			return f
		}
	}
	return NewFile(body, true)
}

// sameBytes tells whether two slices are one and the same memory.
func sameBytes(a, b []byte) bool { return len(a) == len(b) && len(a) > 0 && &a[0] == &b[0] }

// State is what the engineers have signed and the server has published: what a
// submission is judged against. Its bytes must not be changed.
type State struct {
	Roots     [][]byte // version 1 first
	Targets   []byte   // nil while there is no root of trust
	Releases  map[manifests.Product][]byte
	Documents map[string][]byte // release documents by target path
	// Offered are the builds that a rollout may install now.
	Offered map[manifests.Product][]manifests.Build
}

func (g *generation) state() (State, error) {
	s := State{Targets: g.role("targets"), Releases: map[manifests.Product][]byte{}, Documents: map[string][]byte{}, Offered: map[manifests.Product][]manifests.Build{}}
	for v := int64(1); v <= g.Roots; v++ {
		s.Roots = append(s.Roots, g.bodies[layout.MetadataFile("root", v)])
	}
	for _, p := range g.products() {
		s.Releases[p] = g.role(layout.ReleasesRole(p))
		refs, err := g.releases(p)
		if err != nil {
			return s, err
		}
		for _, r := range refs {
			s.Documents[r.Path] = g.bodies[layout.TargetFile(r.Path, r.SHA256)]
		}
		hash, ok := g.Rollouts[p]
		if !ok {
			continue
		}
		doc, err := rollout.Parse(g.bodies[layout.TargetFile(layout.RolloutsPath(p), hash)])
		if err != nil {
			return s, fmt.Errorf("rollouts of %s: %w", p, err)
		}
		for i := range doc.Rollouts {
			if doc.Rollouts[i].State.Installable() {
				s.Offered[p] = append(s.Offered[p], doc.Rollouts[i].Build)
			}
		}
	}
	return s, nil
}

// Submission is verified, signed material on its way into the tree.
type Submission struct {
	Metadata map[string][]byte `json:"metadata"` // by file name, such as "3.targets.json"
	Targets  map[string][]byte `json:"targets"`  // by target path
}

// without leaves out what is published already.
func (s Submission) without(g *generation) Submission {
	out := Submission{Metadata: maps.Clone(s.Metadata), Targets: maps.Clone(s.Targets)}
	maps.DeleteFunc(out.Metadata, func(name string, data []byte) bool {
		have, ok := g.bodies[layout.MetadataDir+"/"+name]
		return ok && bytes.Equal(have, data)
	})
	maps.DeleteFunc(out.Targets, func(path string, data []byte) bool {
		_, ok := g.bodies[layout.TargetFile(path, manifests.SumSHA256(data))]
		return ok
	})
	return out
}
