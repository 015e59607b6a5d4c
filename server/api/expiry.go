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
	word map[manifests.Product]time.Time
}

func (x *expiries) of(t *publish.Tree) map[string]time.Time {
	if t == nil {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.tree != t {
		x.tree = t
		x.read, x.word = rolesOf(t)
	}
	return x.read
}

// words gives by when the engineers of each product promised to sign again.
func (x *expiries) words(t *publish.Tree) map[manifests.Product]time.Time {
	if x.of(t) == nil {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.word
}

// dated is what is read of a metadata file.
type dated struct {
	Signed struct {
		Expires manifests.Time  `json:"expires"`
		NextBy  *manifests.Time `json:"x-next-by"`
		Meta    map[string]struct {
			Version int64 `json:"version"`
		} `json:"meta"`
	} `json:"signed"`
}

func rolesOf(t *publish.Tree) (map[string]time.Time, map[manifests.Product]time.Time) {
	out, words := map[string]time.Time{}, map[manifests.Product]time.Time{}
	read := func(role string, version int64) dated {
		var d dated
		if f := t.File(layout.MetadataFile(role, version)); f != nil && json.Unmarshal(f.Body, &d) == nil {
			out[role] = d.Signed.Expires.Time
			if p, ok := layout.ReleasesRoleProduct(role); ok && d.Signed.NextBy != nil {
				words[p] = d.Signed.NextBy.Time
			}
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
	return out, words
}
