package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

// Checked is what stands published, read anew: the ledger's head held against
// every file of the tree.
type Checked struct {
	Number int64 // of the head; 0: nothing was published yet
	Files  int
	Bad    []error // a file that is missing or another, or a timestamp behind the ledger
	Issued time.Time
	Expire map[string]time.Time // by role
	Keys   map[string][]string  // by role: ids of the keys that the root trusts with it
	// Spare are the releases whose votes the engineers have moved to spare keys;
	// incomplete where a file is bad.
	Spare map[vote.Ref]bool
}

// Readable reads the tree: a store of blobs, or its folder.
type Readable interface {
	Open(ctx context.Context, key string) (io.ReadSeekCloser, store.Info, error)
	Load(ctx context.Context, key string) ([]byte, store.ETag, error)
}

// Check reads everything that is published and changes nothing. It may be
// called while a server publishes: a head that has moved meanwhile is read again.
func Check(ctx context.Context, ledger interface {
	Head(ctx context.Context, name string) (store.Head, error)
}, blobs Readable,
) (Checked, error) {
	for {
		h, err := ledger.Head(ctx, treeHead)
		if errors.Is(err, store.ErrNotFound) {
			return Checked{}, nil
		}
		if err != nil {
			return Checked{}, fmt.Errorf("check the published tree: %w", err)
		}
		c, err := checkHead(ctx, h, blobs)
		if err != nil {
			return c, err
		}
		again, err := ledger.Head(ctx, treeHead)
		if err != nil {
			return c, fmt.Errorf("check the published tree: %w", err)
		}
		if again.Version == h.Version || ctx.Err() != nil {
			return c, ctx.Err()
		}
	}
}

func checkHead(ctx context.Context, h store.Head, blobs Readable) (Checked, error) {
	c := Checked{Number: h.Version, Expire: map[string]time.Time{}, Keys: map[string][]string{}}
	g := empty()
	if err := json.Unmarshal(h.Document, &g.head); err != nil {
		return c, fmt.Errorf("check the published tree: head %d: %w", h.Version, err)
	}
	for _, path := range slices.Sorted(maps.Keys(g.Files)) {
		f := g.Files[path]
		body, err := readFile(ctx, blobs, path, f)
		if err != nil && f.Until != nil {
			continue // retired: nobody needs it for long
		}
		if c.Files++; err != nil {
			c.Bad = append(c.Bad, err)
		}
		g.bodies[path] = body
	}
	served, _, err := blobs.Load(ctx, layout.TimestampFile)
	if err != nil {
		c.Bad = append(c.Bad, fmt.Errorf("%s: %w", layout.TimestampFile, err))
	} else if !bytes.Equal(served, g.Timestamp) {
		c.Bad = append(c.Bad, fmt.Errorf("%s: is not the one that the ledger says is published", layout.TimestampFile))
	}
	c.Issued = issuedOf(g.Timestamp)
	for role := range g.Versions {
		c.add(role, g.role(role))
	}
	c.add("root", g.bodies[layout.MetadataFile("root", g.Roots)])
	c.add("timestamp", g.Timestamp)
	if len(c.Bad) == 0 {
		if c.Spare, err = g.spare(); err != nil {
			c.Bad = append(c.Bad, err)
		}
	}
	return c, nil
}

// add notes what a role's file says of itself. One that cannot be read is among
// the bad ones already.
func (c *Checked) add(role string, body []byte) {
	var m struct {
		Signed struct {
			Expires manifests.Time `json:"expires"`
			Roles   map[string]struct {
				KeyIDs []string `json:"keyids"`
			} `json:"roles"`
			Delegations struct {
				Roles []struct {
					Name   string   `json:"name"`
					KeyIDs []string `json:"keyids"`
				} `json:"roles"`
			} `json:"delegations"`
		} `json:"signed"`
	}
	if json.Unmarshal(body, &m) != nil || m.Signed.Expires.IsZero() {
		return
	}
	c.Expire[role] = m.Signed.Expires.Time
	for name, r := range m.Signed.Roles {
		c.Keys[name] = r.KeyIDs
	}
	for _, r := range m.Signed.Delegations.Roles {
		c.Keys[r.Name] = r.KeyIDs
	}
}
