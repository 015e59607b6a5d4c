package explain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests/bundle"
	"github.com/candor-ota/candor/manifests/diagnosis"
	"github.com/candor-ota/candor/manifests/image"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/keyring"
)

// Options say what is known beside the file.
type Options struct {
	Root   []byte          // file of the root that is trusted; nil: Anchor alone
	Anchor *keyring.Anchor // the root that is trusted; nil: nobody has said
	Tree   string          // directory or address of the tree that a file belongs to; "": found from its path
	Role   string          // of a metadata file; "": found from its name
	Now    time.Time
}

// Explained is what is said about a file or a tree.
type Explained struct {
	Looked   string              `json:"looked"` // what was looked at
	What     string              `json:"what"`   // what it is, in words
	Holds    bool                `json:"holds"`  // all that was looked at
	Waits    bool                `json:"waits"`  // it fails only because people have yet to sign
	Says     []string            `json:"says"`   // what it says, in words
	Findings []diagnosis.Finding `json:"findings"`
}

// explainer is one question.
type explainer struct {
	Options
	target string
	tree   *tree // nil: none
	inside string
	walked *diagnosis.Tree
}

// Explain looks at a file, a directory or an address.
func Explain(ctx context.Context, target string, o Options) (*Explained, error) {
	x := &explainer{Options: o, target: target}
	out, err := x.explain(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", target, err)
	}
	out.Looked = target
	failing := diagnosis.Failing(out.Findings)
	out.Holds = len(failing) == 0
	out.Waits = out.What == proposalWords && len(failing) > 0 && !slices.ContainsFunc(failing, func(f diagnosis.Finding) bool { return !waits(f) })
	place := diagnosis.Place{}
	if x.tree != nil {
		place.Server = x.tree.server
	}
	diagnosis.Advise(out.Findings, diagnosis.Maker, place)
	return out, nil
}

func (x *explainer) explain(ctx context.Context) (*Explained, error) {
	if err := x.locate(); err != nil {
		return nil, err
	}
	if x.inside == "" && x.tree != nil {
		return x.wholeTree(ctx, "published tree")
	}
	data, err := x.read(ctx)
	if err != nil || data == nil {
		if b, berr := x.openBundle(); b != nil {
			return b(ctx)
		} else if berr != nil {
			err = errors.Join(err, berr)
		}
		if err == nil {
			return x.absent(), nil
		}
		return nil, err
	}
	return x.file(ctx, data)
}

// locate finds out what the target is part of.
func (x *explainer) locate() error {
	top, inside, part := split(filepath.ToSlash(x.target))
	var err error
	switch {
	case x.Tree != "":
		x.tree, err = treeAt(x.Tree)
		if part {
			x.inside = inside
		}
	case isWeb(x.target) && part:
		x.inside = inside
		x.tree, err = webTree(top)
	case isWeb(x.target):
		x.tree, err = webTree(x.target)
	case isDir(x.target):
		x.tree, err = x.directory()
	case part && isDir(filepath.Join(top, "metadata")):
		x.inside = inside
		x.tree, err = dirTree(top)
	}
	return err
}

func treeAt(where string) (*tree, error) {
	if isWeb(where) {
		return webTree(where)
	}
	return dirTree(where)
}

// directory is a tree, or its part with the metadata.
func (x *explainer) directory() (*tree, error) {
	if isDir(filepath.Join(x.target, "metadata")) {
		return dirTree(x.target)
	}
	if roots, err := filepath.Glob(filepath.Join(x.target, "*.root.json")); err == nil && len(roots) > 0 {
		return dirTree(filepath.Dir(filepath.Clean(x.target)))
	}
	return nil, errors.New("a directory without metadata/: give the one that holds metadata, targets and blobs")
}

// read gives the bytes; nil: the tree has no such file.
func (x *explainer) read(ctx context.Context) ([]byte, error) {
	if isWeb(x.target) {
		data, err := x.tree.Read(ctx, x.inside, image.MaxIndexBytes)
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
		return data, err
	}
	if strings.HasSuffix(x.target, ".candor") {
		return nil, nil
	}
	return keyring.ReadFile(x.target, image.MaxIndexBytes)
}

// absent is an address at which there is nothing.
func (x *explainer) absent() *Explained {
	return &Explained{What: "nothing", Says: []string{}, Findings: []diagnosis.Finding{{
		Kind: diagnosis.Missing, Subject: either(roleOf(x.inside), x.inside), File: x.inside, Words: "the server says that there is no such file",
	}}}
}

func either(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// wholeTree examines all that is published. The walk has the last word.
func (x *explainer) wholeTree(ctx context.Context, what string) (*Explained, error) {
	anchor, err := x.anchor(ctx)
	if err != nil {
		return nil, err
	}
	x.examine(ctx)
	out := &Explained{What: what, Says: []string{}, Findings: x.walked.Examine(ctx)}
	if x.Anchor == nil {
		out.Says = append(out.Says, "Nobody has said here which root to trust: it is taken at its own word. Give --root to hold it against yours.")
	}
	if anchor == nil || x.tree.late {
		return out, nil
	}
	for _, f := range ceremony.Verify(ctx, x.tree.files, *anchor, ceremony.VerifyOptions{Now: x.Now}).Findings {
		if !f.Holds && len(diagnosis.Failing(out.Findings)) == 0 {
			out.Findings = append(out.Findings, diagnosis.Finding{Kind: diagnosis.Rule, Subject: f.Subject, Words: f.Words})
		}
	}
	return out, nil
}

// anchor is the root that is trusted, or the oldest one of the tree; nil: it
// cannot be read, which is for the findings to say.
func (x *explainer) anchor(ctx context.Context) (*keyring.Anchor, error) {
	if x.Anchor != nil {
		return x.Anchor, nil
	}
	data, err := x.tree.Read(ctx, "metadata/1.root.json", 1<<20)
	if err != nil {
		return nil, nil
	}
	a, err := ceremony.AnchorOf(data)
	if err != nil {
		return nil, nil
	}
	return &a, nil
}

// examine prepares the examination of the tree.
func (x *explainer) examine(context.Context) {
	t := &diagnosis.Tree{Source: x.tree, Now: x.Now, Strict: true, Late: x.tree.late, Only: x.tree.only, Product: x.tree.product}
	if x.Anchor != nil {
		t.Anchor = &diagnosis.Anchor{Version: x.Anchor.Version, Hash: x.Anchor.SHA256}
	}
	if x.tree.clock != nil {
		t.ServerTime = x.tree.clock.time
	}
	x.walked = t
}

// openBundle gives the way to explain a bundle, if the file is one.
func (x *explainer) openBundle() (func(context.Context) (*Explained, error), error) {
	if isWeb(x.target) || !strings.HasSuffix(x.target, ".candor") {
		return nil, nil
	}
	return func(ctx context.Context) (out *Explained, err error) {
		f, err := os.Open(x.target)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		info, err := f.Stat()
		if err != nil {
			return nil, err
		}
		b, err := bundle.Read(f, info.Size())
		if err != nil {
			return &Explained{What: "bundle", Says: []string{}, Findings: []diagnosis.Finding{{
				Kind: diagnosis.Malformed, Subject: "bundle", File: x.target, Words: err.Error(),
			}}}, nil
		}
		x.tree = &tree{files: bundleTree{b}, late: true, only: layout.ReleasePath(b.Header.Product, b.Header.Build), product: b.Header.Product}
		return x.wholeTree(ctx, fmt.Sprintf("bundle with build %d of %s, for a handset without a network", b.Header.Build, b.Header.Product))
	}, nil
}

// Unreached tells that nothing is known to be wrong but the network.
func (e *Explained) Unreached() bool {
	failing := diagnosis.Failing(e.Findings)
	return len(failing) > 0 && !slices.ContainsFunc(failing, func(f diagnosis.Finding) bool { return f.Kind != diagnosis.Network })
}

// Lines are all of it as people read it.
func (e *Explained) Lines() []string {
	lines := append([]string{fmt.Sprintf("%s is: %s", e.Looked, e.What)}, e.Says...)
	if len(e.Findings) > 0 {
		lines = append(lines, "")
	}
	for _, f := range e.Findings {
		said := f.Lines()
		if e.Waits {
			said[0] = strings.Replace(said[0], "PROBLEM", "WAITS  ", 1)
		}
		lines = append(lines, said...)
	}
	return lines
}
