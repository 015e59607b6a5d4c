package api

import (
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/server/publish"
)

// expiries reads when each signed role expires. What is served was verified
// when it was published, so only the dates are looked at; a tree is read once.
type expiries struct {
	mu   sync.Mutex
	tree *publish.Tree
	read map[string]time.Time
}

func (x *expiries) of(t *publish.Tree) map[string]time.Time {
	if t == nil {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.tree != t {
		x.tree, x.read = t, rolesOf(t)
	}
	return x.read
}

// dated is what is read of a metadata file.
type dated struct {
	Signed struct {
		Expires manifests.Time `json:"expires"`
		Meta    map[string]struct {
			Version int64 `json:"version"`
		} `json:"meta"`
	} `json:"signed"`
}

func rolesOf(t *publish.Tree) map[string]time.Time {
	out := map[string]time.Time{}
	read := func(role string, version int64) dated {
		var d dated
		if f := t.File(layout.MetadataFile(role, version)); f != nil && json.Unmarshal(f.Body, &d) == nil {
			out[role] = d.Signed.Expires.Time
		}
		return d
	}
	for v := int64(1); t.File(layout.MetadataFile("root", v)) != nil; v++ {
		read("root", v)
	}
	timestamp := read("timestamp", 0)
	snapshot := read("snapshot", timestamp.Signed.Meta["snapshot.json"].Version)
	for name, m := range snapshot.Signed.Meta {
		read(strings.TrimSuffix(name, ".json"), m.Version)
	}
	return out
}
