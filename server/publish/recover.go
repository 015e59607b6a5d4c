package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

// skipped is how far numbers jump where nobody knows how many were used: more
// than are used in months, and two thousand times less than there are.
const skipped = 1_000_000

// Known is what a backup says of the tree: the ledger's head of it (no Document
// if nothing was published) and the last version of each role.
type Known struct {
	Head     store.Head
	Versions map[string]int64
}

// Recovered is what the ledger must say of the tree from now on, so that no
// number is used for two things and no handset sees anything go back.
type Recovered struct {
	Known
	// Adopted: the store holds what was published after the backup, and goes on
	// from there. Otherwise numbers jump, in case handsets have seen more.
	Adopted bool
	// Documents are the rollouts as they are published, by product.
	Documents map[manifests.Product]*rollout.Document
	// Spare are the releases whose votes the engineers have moved to spare keys.
	Spare map[vote.Ref]bool
}

// Recover brings together what a backup knows and what the store holds. It
// writes nothing. put, which is called where the store is behind the backup,
// brings the backup's files there.
func Recover(ctx context.Context, k Known, b store.Blobs, keys Keys, now time.Time, put func() error) (Recovered, error) {
	out := Recovered{Known: k, Documents: map[manifests.Product]*rollout.Document{}}
	if k.Head.Document == nil {
		return out, nil
	}
	p := &Publisher{blobs: b}
	w := walker{b}
	old := empty()
	if err := json.Unmarshal(k.Head.Document, &old.head); err != nil {
		return out, fmt.Errorf("the backup's head of the tree: %w", err)
	}
	g, err := w.walk(ctx, old.Files[firstRoot].SHA256)
	if err != nil {
		return out, fmt.Errorf("the tree in the store, which can be brought back from a mirror: %w", err)
	}
	if g != nil {
		g.Submission = old.Submission
	}
	if g == nil || g.Versions[metadata.TIMESTAMP] < old.Versions[metadata.TIMESTAMP] {
		if err := put(); err != nil {
			return out, err
		}
		if g, err = p.bodiesOf(ctx, old.head); err != nil {
			return out, err
		}
		g.Ahead += skipped
		out.Versions = jumped(k.Versions)
	} else {
		out.Adopted = true
		if out.Versions, err = w.adopt(ctx, b, g, k.Versions, now); err != nil {
			return out, err
		}
	}
	if err := g.signedBy(keys); err != nil {
		return out, err
	}
	if out.Spare, err = g.spare(); err != nil {
		return out, err
	}
	for _, product := range g.products() {
		if hash, ok := g.Rollouts[product]; ok {
			doc, err := rollout.Parse(g.bodies[layout.TargetFile(layout.RolloutsPath(product), hash)])
			if err != nil {
				return out, fmt.Errorf("rollouts of %s: %w", product, err)
			}
			out.Documents[product] = doc
		}
	}
	document, err := json.Marshal(g.head)
	if err != nil {
		return out, err
	}
	out.Head.Version, out.Head.Document, out.Head.Updated = k.Head.Version+1, document, now
	out.Head.ETag = store.ETag(layout.ETag(g.Timestamp))
	return out, nil
}

func jumped(versions map[string]int64) map[string]int64 {
	out := map[string]int64{}
	for role, v := range versions {
		out[role] = v + skipped
	}
	return out
}

// adopt takes in the files that the tree names no more, so that they are
// collected in their time, and gives the greatest version of each role.
func (w walker) adopt(ctx context.Context, b store.Blobs, g *generation, known map[string]int64, now time.Time) (map[string]int64, error) {
	versions := map[string]int64{}
	for role, v := range known {
		versions[role] = max(v, g.Versions[role])
	}
	for role, v := range g.Versions {
		versions[role] = max(v, versions[role])
	}
	for _, dir := range []string{layout.MetadataDir, layout.TargetsDir} {
		for info, err := range b.List(ctx, dir+"/") {
			if err != nil {
				return nil, err
			}
			if name := strings.TrimPrefix(info.Key, layout.MetadataDir+"/"); dir == layout.MetadataDir {
				if role, v, err := roleOf(name); err == nil {
					versions[role] = max(versions[role], v)
				}
			}
			if _, named := g.Files[info.Key]; named || info.Key == layout.TimestampFile || info.Size > maxSmall {
				continue
			}
			if err := w.small(ctx, g, info.Key); err != nil && !errors.Is(err, store.ErrNotFound) {
				return nil, err
			}
		}
	}
	return versions, g.retire(now)
}

// bodiesOf loads the files of a head, as they are published.
func (p *Publisher) bodiesOf(ctx context.Context, h head) (*generation, error) {
	g := empty()
	g.head = h
	for path, f := range g.Files {
		body, err := p.read(ctx, path, f)
		if err != nil && f.Until == nil {
			return nil, err
		}
		if err == nil {
			g.bodies[path] = body
		}
	}
	return g, nil
}

// signedBy tells whether one of the sets of keys at hand is what the newest root
// and targets list: with others nothing could be published, and nobody told why.
func (g *generation) signedBy(keys Keys) error {
	listed, err := g.listed()
	if err != nil {
		return err
	}
	_, err = keys.For(listed)
	return err
}

// Published names the files of the tree that a head names, images apart.
func Published(h store.Head) ([]store.Object, error) {
	var one head
	if h.Document == nil {
		return nil, nil
	}
	if err := json.Unmarshal(h.Document, &one); err != nil {
		return nil, fmt.Errorf("head %d of the tree: %w", h.Version, err)
	}
	var out []store.Object
	for path, f := range one.Files {
		if f.Until == nil {
			out = append(out, store.Object{Key: path, Size: f.Size, SHA256: f.SHA256})
		}
	}
	slices.SortFunc(out, func(a, b store.Object) int { return strings.Compare(a.Key, b.Key) })
	return out, nil
}
