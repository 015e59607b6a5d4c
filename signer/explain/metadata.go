package explain

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/candor-ota/candor/manifests/diagnosis"
	"github.com/candor-ota/candor/signer/ceremony"
)

// roleOf reads role and version off the name of a metadata file.
func roleOf(name string) string {
	role, _ := nameOf(name)
	return role
}

func nameOf(name string) (role string, version int64) {
	base, ok := strings.CutSuffix(path.Base(name), ".json")
	if !ok {
		return "", 0
	}
	if number, rest, ok := strings.Cut(base, "."); ok {
		v, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return "", 0
		}
		return rest, v
	}
	switch {
	case base == "root" || base == "timestamp" || base == "snapshot" || base == "targets" || base == "rollouts" || strings.HasPrefix(base, "releases-"):
		return base, 0
	}
	return "", 0
}

// metadataFile explains one file of TUF metadata, as far as there is something
// to hold it against.
func (x *explainer) metadataFile(ctx context.Context, data []byte, kind string) (*Explained, error) {
	role, named := nameOf(x.target)
	role = either(x.Role, either(role, kind))
	out := &Explained{What: "TUF metadata, role " + role, Says: []string{}}
	if shown, err := ceremony.Show(data, x.Now); err == nil {
		out.Says = shown.Lines
	}
	e := diagnosis.Expected{Role: role, File: x.target, Named: diagnosis.Target{Version: named}, Now: x.Now, Strict: true}
	if role == "root" {
		out.Findings = x.root(ctx, e, data)
		return out, nil
	}
	above, delegated := x.held(ctx, &e)
	if !delegated {
		out.Findings = append(above, diagnosis.Finding{
			Kind: diagnosis.NotDelegated, Subject: role, File: x.target, Words: "no role of the tree gives anything into its hands",
		})
		return out, nil
	}
	f, found := e.Judge(data)
	if f != nil && f.Version < e.Named.Version && e.Above != "" {
		found = []diagnosis.Finding{{
			Kind: diagnosis.Rollback, Subject: role, File: x.target,
			Words: fmt.Sprintf("version %d was replaced: the %s names version %d now", f.Version, e.Above, e.Named.Version),
		}}
	}
	out.Findings = append(above, found...)
	return out, nil
}

// held fills in what the file is held against, and gives what is wrong above
// it. False: nobody delegates to the role.
func (x *explainer) held(ctx context.Context, e *diagnosis.Expected) ([]diagnosis.Finding, bool) {
	if x.tree == nil {
		x.byRoot(e)
		return nil, true
	}
	x.examine(ctx)
	var above []diagnosis.Finding
	for _, f := range diagnosis.Failing(x.walked.Examine(ctx)) {
		if over(f.Subject, e.Role) {
			above = append(above, f)
		}
	}
	known, ok := x.walked.Expect(e.Role)
	if ok {
		file := e.File
		*e = known
		e.File = file
		return above, true
	}
	_, read := x.walked.Expect("targets")
	return above, !read || len(above) > 0
}

// over tells whether a failure of one role is in the way of another.
func over(subject, role string) bool {
	order := []string{"clock", "root", "timestamp", "snapshot", "targets"}
	at := func(name string) int {
		for i, o := range order {
			if o == name {
				return i
			}
		}
		return len(order)
	}
	return at(subject) < at(role)
}

// byRoot takes the tables of the root file that was given.
func (x *explainer) byRoot(e *diagnosis.Expected) {
	if root, _ := (diagnosis.Expected{Role: "root", Now: x.Now}).Judge(x.Root); root != nil {
		if table, ok := root.Roles[e.Role]; ok {
			table.By = fmt.Sprintf("root version %d", root.Version)
			e.Tables = []diagnosis.Table{table}
		}
	}
}

// root judges a root by itself, by the one before it if that is at hand, and by
// the one that is trusted.
func (x *explainer) root(ctx context.Context, e diagnosis.Expected, data []byte) []diagnosis.Finding {
	trusted, _ := (diagnosis.Expected{Role: "root", Now: x.Now}).Judge(x.Root)
	own, _ := (diagnosis.Expected{Role: "root", Now: x.Now}).Judge(data)
	if own == nil {
		_, found := e.Judge(data)
		return found
	}
	before := trusted
	if x.tree != nil && own.Version > 1 {
		if text, err := x.tree.Read(ctx, fmt.Sprintf("metadata/%d.root.json", own.Version-1), 1<<20); err == nil {
			before, _ = (diagnosis.Expected{Role: "root", Now: x.Now}).Judge(text)
		}
	}
	switch {
	case x.Anchor != nil && x.Anchor.Version == own.Version && x.Anchor.SHA256 != own.Hash():
		return []diagnosis.Finding{{
			Kind: diagnosis.OtherRoot, Subject: "root", File: e.File, Words: fmt.Sprintf("it is not the root of version %d that you trust", own.Version),
		}}
	case before != nil && before.Version < own.Version-1:
		return []diagnosis.Finding{{
			Kind: diagnosis.RootGap, Subject: "root", File: e.File,
			Words: fmt.Sprintf("you trust version %d and this is version %d: those between must be verified first", before.Version, own.Version),
		}}
	case before != nil && before.Version >= own.Version:
		before = nil
	}
	_, found := e.JudgeRoot(before, data)
	return found
}

// metadataKind gives the _type of TUF metadata; false: it is something else.
func metadataKind(data []byte) (string, bool) {
	var head struct {
		Signed *struct {
			Type string `json:"_type"`
		} `json:"signed"`
	}
	if err := json.Unmarshal(data, &head); err != nil || head.Signed == nil {
		return "", false
	}
	return head.Signed.Type, true
}
