package diagnosis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
)

// Source reads files of a published tree by their path below its top.
type Source interface {
	// Read gives a file of at most limit bytes; of a longer one it gives a byte
	// more. A file that is not there is fs.ErrNotExist.
	Read(ctx context.Context, path string, limit int64) ([]byte, error)
}

// Anchor names the root that is trusted: its version and File.Hash.
type Anchor struct {
	Version int64
	Hash    string
}

// Tree is a published tree, or a store that holds parts of one, to be examined.
type Tree struct {
	Source Source
	// Anchor is the root that is trusted; nil: the oldest one of the tree is taken
	// at its word.
	Anchor *Anchor
	// First is the version of the root at which the chain begins; 0 is 1.
	First   int64
	Now     time.Time
	Floors  map[string]int64  // versions that were verified before, by role
	Product manifests.Product // look at this one alone; "" is all
	Strict  bool              // as Expected has it
	Late    bool              // likewise
	// Kept says that documents may be missing: a store keeps those that it needed.
	Kept bool
	// Only is the path of the one document that has to be there, as in a bundle; ""
	// is all.
	Only string
	// ServerTime gives the time that a server stated with its answers, if it did.
	ServerTime func() (time.Time, bool)

	found    []Finding
	expected map[string]Expected
	broken   map[string]bool // roles that could not be read, so that nothing can be held against them
	root     *File
}

// maxRoots bounds the chain that is followed.
const maxRoots = 1024

// gap is how many roots beyond a missing one are asked for.
const gap = 3

// limits of what handsets read; what Candor makes stays within MaxMetadataBytes.
const (
	maxRoot      = 512 << 10
	maxTimestamp = 16 << 10
	maxSnapshot  = 2 << 20
	maxRole      = 5 << 20
)

// Examine looks at everything from the roots down, and goes on below what does
// not hold as far as there is something to judge by.
func (t *Tree) Examine(ctx context.Context) []Finding {
	t.found, t.expected = nil, map[string]Expected{}
	t.descend(ctx)
	t.clock()
	return t.found
}

func (t *Tree) descend(ctx context.Context) {
	if !t.roots(ctx) {
		return
	}
	timestamp, ok := t.role(ctx, "timestamp", Target{}, "")
	if !ok {
		return
	}
	named, ok := timestamp.Meta["snapshot.json"]
	if !ok || named.Version < 1 {
		t.say(Malformed, "timestamp", layout.TimestampFile, "it does not name a version of the snapshot")
		return
	}
	if snapshot, ok := t.role(ctx, "snapshot", named, "timestamp"); ok {
		t.targets(ctx, snapshot)
	}
}

// Expect gives what a role is held against, as far as Examine came; false: no
// role that holds delegates to it.
func (t *Tree) Expect(role string) (Expected, bool) {
	e, ok := t.expected[role]
	return e, ok
}

// clock puts a wrong clock of this machine before everything else, since it
// explains the rest.
func (t *Tree) clock() {
	if t.ServerTime == nil {
		return
	}
	there, ok := t.ServerTime()
	if off := t.Now.Sub(there); ok && off.Abs() > skew {
		behind := "ahead of"
		if off < 0 {
			behind = "behind"
		}
		t.found = append([]Finding{{Kind: Clock, Subject: "clock", Date: at(there), Words: fmt.Sprintf(
			"this machine says that it is %s, the server %s: %s %s the server's", day(t.Now), day(there), span(off), behind)}}, t.found...)
	}
}

func (t *Tree) say(k Kind, subject, file, format string, args ...any) {
	t.found = append(t.found, Finding{Kind: k, Subject: subject, File: file, Words: fmt.Sprintf(format, args...)})
}

// roots follows the chain. False: nothing below can be judged.
func (t *Tree) roots(ctx context.Context) bool {
	for v := max(t.First, 1); v < maxRoots; v++ {
		path := layout.MetadataFile("root", v)
		data, err := t.Source.Read(ctx, path, maxRoot)
		if errors.Is(err, fs.ErrNotExist) {
			return t.chainEnds(ctx, v)
		}
		if err != nil {
			t.unreachable("root", path, err)
			return t.root != nil
		}
		e := Expected{Role: "root", File: path, Named: Target{Version: v}, Now: t.Now, Limit: maxRoot, Strict: t.Strict}
		file, bad := e.JudgeRoot(t.root, data)
		if file == nil {
			t.found = append(t.found, bad...)
			return t.root != nil
		}
		if t.Anchor != nil && v == t.Anchor.Version && file.Hash() != t.Anchor.Hash {
			t.say(OtherRoot, "root", path, "version %d is not the root of that version which is trusted here", v)
			return false
		}
		if fails := Failing(bad); len(fails) > 0 {
			t.found = append(t.found, fails...)
			return t.root != nil
		}
		t.root = file
	}
	return t.chainEnds(ctx, maxRoots)
}

// JudgeRoot judges a root by itself and by the one before, if there is one. That
// it has ended matters of the newest alone, so it is left out.
func (e Expected) JudgeRoot(before *File, data []byte) (*File, []Finding) {
	if f, err := read(data, cmp.Or(e.Limit, layout.MaxMetadataBytes), e.Strict); err == nil && f.Type == "root" {
		own := f.Roles["root"]
		own.By = fmt.Sprintf("root version %d itself", f.Version)
		e.Tables = []Table{own}
		if before != nil {
			old := before.Roles["root"]
			old.By = fmt.Sprintf("root version %d", before.Version)
			e.Tables = append(e.Tables, old)
		}
		if e.Now.After(f.Expires) {
			e.Now = f.Expires
		}
	}
	return e.Judge(data)
}

// chainEnds is told the first version that is not there.
func (t *Tree) chainEnds(ctx context.Context, missing int64) bool {
	for v := missing + 1; v <= missing+gap && !t.Kept; v++ {
		if _, err := t.Source.Read(ctx, layout.MetadataFile("root", v), maxRoot); err == nil {
			t.say(RootGap, "root", layout.MetadataFile("root", missing), "version %d is missing, and version %d is there", missing, v)
			return t.root != nil
		}
	}
	switch {
	case t.root == nil:
		t.say(Missing, "root", layout.MetadataFile("root", missing), "there is no root of version %d, from which everything is verified", missing)
		return false
	case t.Anchor != nil && t.root.Version < t.Anchor.Version:
		t.say(StaleMirror, "root", layout.MetadataFile("root", missing), "roots end at version %d, and version %d is trusted here", t.root.Version, t.Anchor.Version)
		return false
	}
	e := Expected{
		Role: "root", File: layout.MetadataFile("root", t.root.Version), Now: t.Now,
		Tables: []Table{t.root.Roles["root"]}, Strict: t.Strict,
	}
	t.expected["root"] = e
	if bad := e.dates(t.root, nil); len(bad) > 0 {
		t.found = append(t.found, bad...)
	} else {
		t.found = append(t.found, e.fine(t.root))
	}
	return true
}

func (t *Tree) unreachable(role, path string, err error) {
	t.say(Network, role, path, "%s", err)
}

// role reads and judges a file below root. False: nothing below it can be judged.
func (t *Tree) role(ctx context.Context, role string, named Target, above string) (*File, bool) {
	table, ok := t.root.Roles[role]
	if !ok {
		t.say(Rule, "root", "", "it has no role %s", role)
		return nil, false
	}
	table.By = fmt.Sprintf("root version %d", t.root.Version)
	return t.read(ctx, Expected{Role: role, Tables: []Table{table}, Named: named, Above: above})
}

func (t *Tree) read(ctx context.Context, e Expected) (*File, bool) {
	e.File, e.Now, e.Floor = layout.MetadataFile(e.Role, e.Named.Version), t.Now, t.Floors[e.Role]
	e.Limit, e.Strict, e.Late = maxRole, t.Strict, t.Late
	switch {
	case e.Role == "timestamp":
		e.Limit = maxTimestamp
	case t.Strict:
		e.Limit = layout.MaxMetadataBytes
	case e.Role == "snapshot":
		e.Limit = maxSnapshot
	}
	t.expected[e.Role] = e
	data, err := t.Source.Read(ctx, e.File, e.Limit)
	switch {
	case errors.Is(err, fs.ErrNotExist) && t.Kept:
		t.say(Holds, e.Role, "", "nothing is stored of it; the next look for news fetches it")
		return nil, false
	case errors.Is(err, fs.ErrNotExist):
		t.say(Missing, e.Role, e.File, "it is not there%s", namedBy(e.Above))
		return nil, false
	case err != nil:
		t.unreachable(e.Role, e.File, err)
		return nil, false
	}
	f, found := e.Judge(data)
	t.found = append(t.found, found...)
	return f, f != nil && f.Type == typeOf(e.Role)
}

func namedBy(above string) string {
	if above == "" {
		return ", and everything begins with it"
	}
	return fmt.Sprintf(", though the %s names it", above)
}
