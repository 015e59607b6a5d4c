package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/server/store"
)

// The names of the heads in the ledger.
const (
	treeHead       = TreeHead
	submissionHead = "submission"
)

// TreeHead names the ledger's head of the published tree.
const TreeHead = "tree"

// head is what the ledger keeps of the published tree.
type head struct {
	Submission int64                                  `json:"submission"` // the last one that is in
	Roots      int64                                  `json:"roots"`      // versions 1 to this
	Versions   map[string]int64                       `json:"versions"`   // of every other role
	Rollouts   map[manifests.Product]manifests.SHA256 `json:"rollouts"`   // documents
	Files      map[string]file                        `json:"files"`      // by path in the tree, without the timestamp
	Timestamp  []byte                                 `json:"timestamp"`
	// Ahead is how far the counters of the next documents jump: after a restore
	// handsets may have seen more than the ledger remembers.
	Ahead uint64 `json:"ahead,omitempty"`
}

// file is one immutable file of the tree.
type file struct {
	Size   int64            `json:"size"`
	SHA256 manifests.SHA256 `json:"sha256"`
	Until  *manifests.Time  `json:"until,omitempty"` // retired, to be removed then
}

// generation is a head with the bytes that it names. It is never changed once
// it is published.
type generation struct {
	head
	number int64 // of the head in the ledger; 0 is the empty tree
	bodies map[string][]byte
}

func (g *generation) clone() *generation {
	n := &generation{head: g.head, number: g.number + 1, bodies: maps.Clone(g.bodies)}
	n.Versions, n.Rollouts, n.Files = maps.Clone(g.Versions), maps.Clone(g.Rollouts), maps.Clone(g.Files)
	return n
}

func empty() *generation {
	return &generation{
		head:   head{Versions: map[string]int64{}, Rollouts: map[manifests.Product]manifests.SHA256{}, Files: map[string]file{}},
		bodies: map[string][]byte{},
	}
}

func (g *generation) add(path string, data []byte) {
	g.Files[path] = file{Size: int64(len(data)), SHA256: manifests.SumSHA256(data)}
	g.bodies[path] = data
}

// role gives the published file of a role, nil if there is none.
func (g *generation) role(name string) []byte {
	return g.bodies[layout.MetadataFile(name, g.Versions[name])]
}

// products are those with a role of releases, by name.
func (g *generation) products() []manifests.Product {
	var out []manifests.Product
	for role := range g.Versions {
		if p, ok := layout.ReleasesRoleProduct(role); ok {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// releases gives what the engineers of a product sign, by build.
func (g *generation) releases(p manifests.Product) (map[manifests.Build]rollout.Reference, error) {
	role := layout.ReleasesRole(p)
	m, err := metadata.Targets().FromBytes(g.role(role))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", role, err)
	}
	out := make(map[manifests.Build]rollout.Reference, len(m.Signed.Targets))
	for path, t := range m.Signed.Targets {
		_, build, err := layout.ParseReleasePath(path)
		if err != nil || len(t.Hashes["sha256"]) != len(manifests.SHA256{}) {
			return nil, fmt.Errorf("%s: target %q is not a release", role, path)
		}
		out[build] = rollout.Reference{Path: path, Length: t.Length, SHA256: manifests.SHA256(t.Hashes["sha256"])}
	}
	return out, nil
}

// retire marks what is no longer named, from the moment that no timestamp
// which named it is valid any more, plus a day for those in mid-refresh.
func (g *generation) retire(now time.Time) error {
	live := map[string]bool{}
	for v := int64(1); v <= g.Roots; v++ {
		live[layout.MetadataFile(metadata.ROOT, v)] = true
	}
	for role, v := range g.Versions {
		live[layout.MetadataFile(role, v)] = true
	}
	for p, hash := range g.Rollouts {
		live[layout.TargetFile(layout.RolloutsPath(p), hash)] = true
	}
	for _, p := range g.products() {
		refs, err := g.releases(p)
		if err != nil {
			return err
		}
		for _, r := range refs {
			live[layout.TargetFile(r.Path, r.SHA256)] = true
		}
	}
	for path, f := range g.Files {
		switch {
		case live[path]:
			f.Until = nil
		case f.Until == nil:
			until := manifests.At(now.Add(Grace))
			f.Until = &until
		}
		g.Files[path] = f
	}
	return nil
}

// overdue takes out the files whose time has come and names them.
func (g *generation) overdue(now time.Time) []string {
	var gone []string
	for path, f := range g.Files {
		if f.Until != nil && now.After(f.Until.Time) {
			gone = append(gone, path)
			delete(g.Files, path)
			delete(g.bodies, path)
		}
	}
	slices.Sort(gone)
	return gone
}

// load reads the head and every file that it names, and checks each against
// the ledger's hash: the store of blobs is trusted with nothing.
func (p *Publisher) load(ctx context.Context) (*generation, error) {
	h, err := p.ledger.Head(ctx, treeHead)
	if errors.Is(err, store.ErrNotFound) && p.shown == nil {
		return empty(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("load the published tree: %w", err)
	}
	if p.shown != nil && h.Version < p.shown.number {
		return nil, fmt.Errorf("load the published tree: %w: from %d to %d", errBack, p.shown.number, h.Version)
	}
	g := empty()
	g.number = h.Version
	if err := json.Unmarshal(h.Document, &g.head); err != nil {
		return nil, fmt.Errorf("load the published tree: head %d: %w", h.Version, err)
	}
	read := p.bodies(ctx, g.Files)
	for path, f := range g.Files {
		body, err := read[path].body, read[path].err
		if err != nil && f.Until != nil {
			continue // retired: nobody needs it for long
		}
		if err != nil && changed(err) {
			if data, ok := p.recollect(ctx, path, f); ok {
				body, err = data, p.mend(ctx, path, data, err)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("load the published tree: %w", err)
		}
		g.bodies[path] = body
	}
	return g, nil
}

// atOnce is how many files of the tree are read at a time: enough to hide the
// distance of a bucket, where a thousand reads in a row would take half a
// minute.
const atOnce = 32

// answer is what a read gave.
type answer struct {
	body []byte
	err  error
}

// bodies reads files of a head.
func (p *Publisher) bodies(ctx context.Context, files map[string]file) map[string]answer {
	out := make(map[string]answer, len(files))
	var mu sync.Mutex
	var readers sync.WaitGroup
	turns := make(chan struct{}, atOnce)
	for path, f := range files {
		turns <- struct{}{}
		readers.Go(func() {
			defer func() { <-turns }()
			body, err := p.body(ctx, path, f)
			mu.Lock()
			defer mu.Unlock()
			out[path] = answer{body, err}
		})
	}
	readers.Wait()
	return out
}

// errBack means that the ledger has forgotten what readers saw.
var errBack = errors.New("the ledger went back; was an older copy of it put in its place? Stop every server and use `candor-server restore`")

// body gives a file of a head: from memory if it was shown before, which is
// most of them whenever another process has published.
func (p *Publisher) body(ctx context.Context, path string, f file) ([]byte, error) {
	if p.shown != nil {
		if body, ok := p.shown.bodies[path]; ok && p.shown.Files[path].SHA256 == f.SHA256 {
			return body, nil
		}
	}
	return p.read(ctx, path, f)
}

func (p *Publisher) read(ctx context.Context, path string, f file) ([]byte, error) {
	return readFile(ctx, p.blobs, path, f)
}

// opener is what is needed to read the tree.
type opener interface {
	Open(ctx context.Context, key string) (io.ReadSeekCloser, store.Info, error)
}

// readFile reads a file and checks it against what the ledger says of it.
func readFile(ctx context.Context, blobs opener, path string, f file) ([]byte, error) {
	r, info, err := blobs.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	if info.Size != f.Size {
		return nil, errors.Join(fmt.Errorf("%s has %d bytes, published were %d: %w", path, info.Size, f.Size, errDiffers), r.Close())
	}
	body, err := io.ReadAll(io.LimitReader(r, f.Size))
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if manifests.SumSHA256(body) != f.SHA256 {
		return nil, fmt.Errorf("%s: %w", path, errDiffers)
	}
	return body, nil
}

// roleOf splits a file name such as 3.releases-phone.json.
func roleOf(name string) (role string, version int64, err error) {
	number, rest, ok := strings.Cut(name, ".")
	role, isJSON := strings.CutSuffix(rest, ".json")
	build, err := manifests.ParseBuild(number)
	if !ok || !isJSON || err != nil {
		return "", 0, fmt.Errorf("%q is not the name of a metadata file (VERSION.ROLE.json)", name)
	}
	return role, int64(build), nil
}
