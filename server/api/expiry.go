package api

import (
	"strings"
	"sync"

	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/lint"
	"github.com/candor-ota/candor/server/publish"
)

// signedRoles reads the newest file of each role. What is served was verified
// when it was published, so nothing is verified here. A tree is read once, and
// of the next one only what is new in it.
type signedRoles struct {
	mu    sync.Mutex
	tree  *publish.Tree
	roles map[string]*lint.File // by role; never changed
	read  map[*publish.File]*lint.File
}

// of gives the files by role; none without a tree.
func (x *signedRoles) of(t *publish.Tree) map[string]*lint.File {
	if t == nil {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.tree == t {
		return x.roles
	}
	before := x.read
	x.tree, x.roles, x.read = t, map[string]*lint.File{}, map[*publish.File]*lint.File{}
	take := func(role string, version int64) *lint.File {
		file := t.File(layout.MetadataFile(role, version))
		if file == nil {
			return nil
		}
		f, known := before[file]
		if !known {
			f, _ = lint.Read(role, file.Body)
		}
		if f != nil {
			x.roles[role], x.read[file] = f, f
		}
		return f
	}
	root := int64(1)
	for t.File(layout.MetadataFile("root", root+1)) != nil {
		root++
	}
	take("root", root)
	timestamp := take("timestamp", 0)
	if timestamp == nil {
		return x.roles
	}
	snapshot := take("snapshot", timestamp.Meta["snapshot.json"].Version)
	if snapshot == nil {
		return x.roles
	}
	for name, m := range snapshot.Meta {
		take(strings.TrimSuffix(name, ".json"), m.Version)
	}
	return x.roles
}
