package diagnosis

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
)

// targets examines the list of roles, each role, and the documents below them.
func (t *Tree) targets(ctx context.Context, snapshot *File) {
	named, ok := snapshot.Meta["targets.json"]
	if !ok {
		t.say(Malformed, "snapshot", layout.MetadataFile("snapshot", snapshot.Version), "it does not name targets")
		return
	}
	top, ok := t.role(ctx, "targets", named, "snapshot")
	if !ok {
		return
	}
	if t.Product != "" {
		if role := layout.ReleasesRole(t.Product); !slices.Contains(top.Order, role) {
			t.say(NotDelegated, role, layout.MetadataFile("targets", top.Version), "targets version %d gives nothing into the hands of a role of this name", top.Version)
		}
	}
	signed, files := map[string]Target{}, map[string]*File{}
	t.broken = map[string]bool{}
	for _, role := range top.Order {
		file, ok := t.delegated(ctx, top, snapshot, role)
		t.broken[role] = !ok
		if ok {
			files[role] = file
			if _, releases := layout.ReleasesRoleProduct(role); releases {
				maps.Copy(signed, file.Targets) // documents of engineers, against which rollouts are held
			}
		}
	}
	for _, role := range top.Order {
		if file := files[role]; file != nil {
			for _, path := range slices.Sorted(maps.Keys(file.Targets)) {
				t.document(ctx, role, path, file.Targets[path], signed)
			}
		}
	}
}

// delegated reads one role that targets delegates to. False: there is nothing
// to look into, or it is of a product that was not asked about.
func (t *Tree) delegated(ctx context.Context, top, snapshot *File, role string) (*File, bool) {
	product, releases := layout.ReleasesRoleProduct(role)
	if t.Product != "" && releases && product != t.Product {
		return nil, false
	}
	named, ok := snapshot.Meta[role+".json"]
	switch {
	case !ok && releases: // a service that has published no rollout yet lists none
		t.say(Mismatch, role, layout.MetadataFile("snapshot", snapshot.Version), "targets version %d delegates to it, and snapshot version %d does not list it: the two do not go together", top.Version, snapshot.Version)
		return nil, false
	case !ok:
		return nil, false
	}
	table := top.Roles[role]
	table.By = fmt.Sprintf("targets version %d", top.Version)
	return t.read(ctx, Expected{Role: role, Tables: []Table{table}, Named: named, Above: "snapshot"})
}

// document reads what a role signs, and compares it with that.
func (t *Tree) document(ctx context.Context, role, path string, want Target, signed map[string]Target) {
	product, rolloutsOf := productOfRollouts(path)
	if rolloutsOf && t.Product != "" && product != t.Product {
		return
	}
	hash, err := manifests.ParseSHA256(want.SHA256)
	if err != nil || want.Length < 1 {
		t.say(Malformed, role, "", "%s is signed without length or sha256", path)
		return
	}
	file := layout.TargetFile(path, hash)
	data, err := t.Source.Read(ctx, file, want.Length)
	switch {
	case errors.Is(err, fs.ErrNotExist) && (t.Kept || t.Only != "" && path != t.Only):
		return
	case errors.Is(err, fs.ErrNotExist):
		t.say(Missing, path, file, "it is not there, though %s signs it", role)
		return
	case err != nil:
		t.unreachable(path, file, err)
		return
	}
	e := Expected{Role: path, File: file, Named: want, Above: role}
	if bad := e.bytes(nil, data); len(bad) > 0 {
		t.found = append(t.found, bad...)
		return
	}
	if rolloutsOf {
		t.found = append(t.found, t.rollouts(e, data, signed)...)
		return
	}
	t.found = append(t.found, Release(e, data))
}

// productOfRollouts tells whose rollouts stand at a path.
func productOfRollouts(path string) (manifests.Product, bool) {
	name, ok := strings.CutPrefix(path, layout.RolloutsRole+"/")
	if !ok {
		return "", false
	}
	p, err := manifests.ParseProduct(strings.TrimSuffix(name, ".json"))
	return p, err == nil && layout.RolloutsPath(p) == path
}

// Release says what is wrong with a release document; e.Role is its path in the
// tree, or a word for people.
func Release(e Expected, data []byte) Finding {
	if err := checkForm(data, manifests.MaxReleaseBytes); err != nil {
		return e.finding(Malformed, "%s", err)
	}
	r, err := manifests.ParseRelease(data)
	if err != nil {
		return e.finding(Malformed, "%s", err)
	}
	if product, build, err := layout.ParseReleasePath(e.Role); err == nil && (product != r.Product || build != r.Build) {
		return e.finding(WrongKind, "it should be build %d of %s, and says that it is build %d of %s", build, product, r.Build, r.Product)
	}
	words := fmt.Sprintf("build %d of %s, version %s; offered until %s", r.Build, r.Product, r.Version, day(r.OfferUntil.Time))
	if !e.Now.IsZero() && e.Now.After(r.OfferUntil.Time) {
		f := e.finding(Expired, "build %d of %s could be offered until %s, %s ago", r.Build, r.Product, day(r.OfferUntil.Time), span(e.Now.Sub(r.OfferUntil.Time)))
		f.Date, f.Do = at(r.OfferUntil.Time), "Handsets do not take it up any more; build a new release if there should be one."
		return f
	}
	return Finding{Subject: e.Role, File: e.File, Words: words}
}

// rollouts judges a rollouts document against what the engineers sign.
func (t *Tree) rollouts(e Expected, data []byte, signed map[string]Target) []Finding {
	f, doc := Rollouts(e, data)
	if doc == nil || t.Kept {
		return []Finding{f}
	}
	out := []Finding{f}
	for _, r := range doc.Rollouts {
		want, ok := signed[r.Release.Path]
		subject := e
		subject.Role = e.Role + " " + string(r.ID)
		switch {
		case !ok && !r.State.Installable(), t.broken[layout.ReleasesRole(doc.Product)]:
		case !ok:
			out = append(out, subject.finding(Mismatch, "it offers build %d, which the engineers do not sign (any more); no handset takes it", r.Build))
		case want.Length != r.Release.Length || want.SHA256 != r.Release.SHA256.String():
			out = append(out, subject.finding(Mismatch, "it offers build %d with another length or hash than the engineers signed; no handset takes it", r.Build))
		}
	}
	return out
}

// Rollouts says what is wrong with a rollouts document, and gives it if it can
// be read.
func Rollouts(e Expected, data []byte) (Finding, *rollout.Document) {
	if err := checkForm(data, rollout.MaxBytes); err != nil {
		return e.finding(Malformed, "%s", err), nil
	}
	doc, err := rollout.Parse(data)
	if err != nil {
		return e.finding(Malformed, "%s", err), nil
	}
	if product, ok := productOfRollouts(e.Role); ok && product != doc.Product {
		return e.finding(WrongKind, "it should be the rollouts of %s, and says that it is those of %s", product, doc.Product), nil
	}
	return Finding{Subject: e.Role, File: e.File, Words: fmt.Sprintf("document %d, %s of %s", doc.Counter, count(int64(len(doc.Rollouts)), "rollout"), doc.Product)}, doc
}
