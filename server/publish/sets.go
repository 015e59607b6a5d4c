package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/server/store"
)

// Set is one of the sets of online keys of a folder. The first lies in the
// folder itself, later ones in folders 2, 3, … below it. Which of them signs is
// for the newest root to say: a set begins when people publish a root that names
// it, and ends with the next.
type Set struct {
	Number int
	Dir    string
	Keys   Keys
}

// Public is the file with the public halves of a set that CreateSet made.
func (s Set) Public() string { return filepath.Join(s.Dir, "online-keys.json") }

// Sets lists the sets of a folder, oldest first. A folder without any is
// fs.ErrNotExist.
func Sets(dir string) ([]Set, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("online keys: %w", err)
	}
	var out []Set
	first, firstErr := loadSet(dir)
	if firstErr == nil {
		out = append(out, Set{1, dir, first})
	} else if !errors.Is(firstErr, fs.ErrNotExist) && !errors.Is(firstErr, errPartial) {
		return nil, firstErr
	}
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err != nil || n < 2 || strconv.Itoa(n) != e.Name() || !e.IsDir() {
			continue
		}
		s := Set{Number: n, Dir: filepath.Join(dir, e.Name())}
		if s.Keys, err = loadSet(s.Dir); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	switch {
	case len(out) == 0 && errors.Is(firstErr, errPartial): // beside others, it was being removed
		return nil, firstErr
	case len(out) == 0:
		return nil, fmt.Errorf("online keys: %w: no set of keys in %s; restore keys/ from its backup", fs.ErrNotExist, dir)
	}
	slices.SortFunc(out, func(a, b Set) int { return a.Number - b.Number })
	for i := range out {
		out[i].Keys.dir = dir
	}
	return out, nil
}

// CreateSet makes one more set beside those that are there. It signs nothing
// until a root that names it is published. It is made aside and then renamed, so
// a crash leaves no half of one.
func CreateSet(dir string) (Set, error) {
	have, err := Sets(dir)
	if err != nil {
		return Set{}, err
	}
	s := Set{Number: have[len(have)-1].Number + 1}
	s.Dir = filepath.Join(dir, strconv.Itoa(s.Number))
	temp, err := os.MkdirTemp(dir, ".new-")
	if err != nil {
		return Set{}, fmt.Errorf("new online keys: %w", err)
	}
	if s.Keys, err = fillSet(temp); err == nil {
		err = errors.Join(os.Rename(temp, s.Dir), syncDir(dir))
	}
	if err != nil {
		return Set{}, errors.Join(fmt.Errorf("new online keys: %w", err), os.RemoveAll(temp))
	}
	s.Keys.dir = dir
	return s, nil
}

func fillSet(dir string) (Keys, error) {
	k, err := CreateKeys(dir)
	if err != nil {
		return k, err
	}
	public, err := k.Public()
	if err != nil {
		return k, err
	}
	f, err := os.OpenFile(Set{Dir: dir}.Public(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return k, err
	}
	_, err = f.Write(public)
	return k, errors.Join(err, f.Sync(), f.Close(), syncDir(dir))
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Remove deletes the keys of a set. Cut short, it is repeated.
func (s Set) Remove() error {
	if s.Number > 1 {
		gone := filepath.Join(filepath.Dir(s.Dir), ".gone-"+strconv.Itoa(s.Number))
		if err := errors.Join(os.Rename(s.Dir, gone), os.RemoveAll(gone)); err != nil {
			return fmt.Errorf("remove online keys: %w", err)
		}
		return syncDir(filepath.Dir(s.Dir))
	}
	for role := range s.Keys.roles() {
		if err := os.Remove(keyFile(s.Dir, role)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove online keys: %w", err)
		}
	}
	return syncDir(s.Dir)
}

// Listed are the ids of the keys that the newest root and targets list for the
// online roles.
type Listed map[string][]string

// listed reads them.
func (g *generation) listed() (Listed, error) {
	root, err := metadata.Root().FromBytes(g.bodies[layout.MetadataFile(metadata.ROOT, g.Roots)])
	if err != nil {
		return nil, fmt.Errorf("root %d: %w", g.Roots, err)
	}
	targets, err := metadata.Targets().FromBytes(g.role(metadata.TARGETS))
	if err != nil {
		return nil, fmt.Errorf("targets: %w", err)
	}
	out := Listed{}
	for _, role := range []string{metadata.SNAPSHOT, metadata.TIMESTAMP} {
		if r := root.Signed.Roles[role]; r != nil {
			out[role] = r.KeyIDs
		}
	}
	if d := targets.Signed.Delegations; d != nil {
		for _, r := range d.Roles {
			if r.Name == layout.RolloutsRole {
				out[r.Name] = r.KeyIDs
			}
		}
	}
	return out, nil
}

// Heads is where the ledger's head of the tree is read.
type Heads interface {
	Head(ctx context.Context, name string) (store.Head, error)
}

// InForce gives what the published root and targets list, nil while nothing is
// published.
func InForce(ctx context.Context, heads Heads, blobs Readable) (Listed, error) {
	h, err := heads.Head(ctx, treeHead)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("online keys: %w", err)
	}
	g := empty()
	if err := json.Unmarshal(h.Document, &g.head); err != nil {
		return nil, fmt.Errorf("online keys: head %d of the tree: %w", h.Version, err)
	}
	for _, path := range []string{layout.MetadataFile(metadata.ROOT, g.Roots), layout.MetadataFile(metadata.TARGETS, g.Versions[metadata.TARGETS])} {
		if g.bodies[path], err = readFile(ctx, blobs, path, g.Files[path]); err != nil {
			return nil, fmt.Errorf("online keys: %w", err)
		}
	}
	return g.listed()
}

// ErrOtherKeys means that none of the sets of keys at hand is the one that
// handsets know.
var ErrOtherKeys = errors.New("none of the sets of online keys in the data directory is the one that the published root lists; put the saved keys/ there, or have root holders sign new ones (`candor-server keys new`)")

// For gives the set that signs under a root and targets with these lists: these
// keys, or another set of their folder, which is read for it.
func (k Keys) For(listed Listed) (Keys, error) {
	if k.Fit(listed) {
		return k, nil
	}
	if k.dir == "" {
		return Keys{}, ErrOtherKeys
	}
	sets, err := Sets(k.dir)
	if err != nil {
		return Keys{}, err
	}
	for _, s := range sets {
		if s.Keys.Fit(listed) {
			return s.Keys, nil
		}
	}
	return Keys{}, ErrOtherKeys
}

// Fit tells whether these keys are what is listed.
func (k Keys) Fit(listed Listed) bool {
	for role := range k.roles() {
		id, err := k.ID(role)
		if err != nil || !slices.Contains(listed[role], id) {
			return false
		}
	}
	return true
}

// All gives the ids of every set of keys at hand, by role: first of these keys,
// then of the other sets of their folder.
func (k Keys) All() ([]map[string]string, error) {
	all := []Keys{k}
	if k.dir != "" {
		sets, err := Sets(k.dir)
		if err != nil {
			return nil, err
		}
		for _, s := range sets {
			all = append(all, s.Keys)
		}
	}
	var out []map[string]string
	for _, one := range all {
		ids := map[string]string{}
		for role := range one.roles() {
			id, err := one.ID(role)
			if err != nil {
				return nil, err
			}
			ids[role] = id
		}
		out = append(out, ids)
	}
	return out, nil
}
