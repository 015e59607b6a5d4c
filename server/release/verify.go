package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/lint"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/store"
)

// Bounds of one submission.
const (
	maxFiles     = 64
	maxDocuments = 16
)

// file is one submitted metadata file.
type file struct {
	name, role string
	version    int64
	data       []byte
}

// verifier judges one submission against one published state.
type verifier struct {
	ctx    context.Context
	state  publish.State
	given  publish.Submission
	now    time.Time
	online onlineKeys
	master vote.Master
	blobs  Blobs
	ledger Ledger

	files       []file // without those that are published already, roots in order
	root        *rootMeta
	delegations *targetsMeta
	live        map[manifests.Product][]*manifests.Release // published before
	used        map[string]bool                            // submitted documents that a role names
}

// verify gives what is to be published: nothing, when all of it is.
func (v *verifier) verify() error {
	if err := v.sort(); err != nil {
		return err
	}
	if len(v.files) == 0 && len(v.state.Roots) > 0 {
		return nil
	}
	for _, step := range []func() error{v.roots, v.targets, v.oneSet, v.releases, v.complete} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// sort reads the names and leaves out what is published.
func (v *verifier) sort() error {
	if len(v.given.Metadata) > maxFiles || len(v.given.Targets) > maxDocuments {
		return refuse("metadata", "%d files and %d documents; at most %d and %d in one submission", len(v.given.Metadata), len(v.given.Targets), maxFiles, maxDocuments)
	}
	for name, data := range v.given.Metadata {
		role, version := splitName(name)
		if version == 0 || !known(role) {
			return refuse(name, "is not VERSION.root.json, VERSION.targets.json or VERSION.releases-PRODUCT.json")
		}
		f := file{name: name, role: role, version: version, data: data}
		if v.published(f) {
			continue
		}
		if i := slices.IndexFunc(v.files, func(o file) bool { return o.role == role && role != "root" }); i >= 0 {
			return refuse(name, "comes together with %s; submit one version of a role", v.files[i].name)
		}
		v.files = append(v.files, f)
	}
	slices.SortFunc(v.files, func(a, b file) int { return cmp.Or(cmp.Compare(a.version, b.version), cmp.Compare(a.role, b.role)) })
	return nil
}

// splitName reads VERSION.ROLE.json; the version is 0 for any other name.
func splitName(name string) (role string, version int64) {
	number, rest, _ := strings.Cut(name, ".")
	role, isJSON := strings.CutSuffix(rest, ".json")
	n, err := strconv.ParseInt(number, 10, 53)
	if err != nil || !isJSON || n < 1 || strconv.FormatInt(n, 10) != number {
		return role, 0
	}
	return role, n
}

// complete demands that the tree is whole afterwards: every delegated role has
// metadata that its present delegation signs, and every submitted document is
// named.
func (v *verifier) complete() error {
	for _, p := range v.products() {
		role := layout.ReleasesRole(p)
		if slices.ContainsFunc(v.files, func(f file) bool { return f.role == role }) {
			continue
		}
		published, ok := v.state.Releases[p]
		if !ok {
			return refuse(role, "is delegated, but its metadata is missing; submit both together")
		}
		m, err := parseTargets(role, published)
		if err != nil {
			return err
		}
		if err := verifySigned(role, v.delegations, role, m); err != nil {
			return err
		}
	}
	for path, data := range v.given.Targets {
		if !v.used[path] && string(v.state.Documents[path]) != string(data) {
			return refuse(path, "is named by no role of this submission")
		}
	}
	return nil
}

// releases takes the submitted releases roles.
func (v *verifier) releases() error {
	v.live, v.used = map[manifests.Product][]*manifests.Release{}, map[string]bool{}
	for path, data := range v.state.Documents {
		r, err := manifests.ParseRelease(data)
		if err != nil {
			return fmt.Errorf("published %s: %w", path, err)
		}
		v.live[r.Product] = append(v.live[r.Product], r)
	}
	for _, f := range v.files {
		if p, ok := layout.ReleasesRoleProduct(f.role); ok {
			if err := v.product(p, f); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v *verifier) product(p manifests.Product, f file) error {
	if !slices.Contains(v.products(), p) {
		return refuse(f.name, "the targets role does not delegate to %s", f.role)
	}
	next, err := parseTargets(f.name, f.data)
	if err != nil {
		return err
	}
	var before *targetsMeta
	if old := v.state.Releases[p]; old != nil {
		if before, err = parseTargets(f.role, old); err != nil {
			return err
		}
	}
	if err := v.rises(f, next, before); err != nil {
		return err
	}
	if err := verifySigned(f.name, v.delegations, f.role, next); err != nil {
		return err
	}
	if err := v.lintReleases(p, f); err != nil {
		return err
	}
	if err := v.retires(p, f); err != nil {
		return err
	}
	if err := lintSpare(f.name, next, before); err != nil {
		return err
	}
	for _, path := range slices.Sorted(maps.Keys(next.Signed.Targets)) {
		t := next.Signed.Targets[path]
		product, build, err := layout.ParseReleasePath(path)
		if err != nil || product != p {
			return refuse(f.name, "target %q is not a release of %s", path, p)
		}
		signed := target{path: path, ref: vote.Ref{Product: product, Build: build}, length: t.Length, hash: manifests.SHA256(t.Hashes["sha256"])}
		if err := v.document(f.name, signed); err != nil {
			return err
		}
	}
	return nil
}

// lintReleases applies the rules that proposals were held against: a plain list
// of releases with a promise of the next word before its expiry.
func (v *verifier) lintReleases(p manifests.Product, f file) error {
	next, found := lint.Read(f.role, f.data)
	if next != nil {
		found = append(found, lint.CheckReleases(p, next)...)
		found = append(found, lint.CheckTimes(next, v.now)...)
	}
	return refuseFirst(f.name, found)
}

// target is one signed entry of a releases role.
type target struct {
	path   string
	ref    vote.Ref
	length int64
	hash   manifests.SHA256
}

// document checks the release behind a target. One that is live already passes
// if it is the same.
func (v *verifier) document(name string, t target) error {
	if data, ok := v.state.Documents[t.path]; ok {
		if manifests.SumSHA256(data) != t.hash || int64(len(data)) != t.length {
			return refuse(name, "target %s has other bytes than the published release; a build never changes", t.path)
		}
		return nil
	}
	data, ok := v.given.Targets[t.path]
	if !ok {
		return refuse(t.path, "is signed, but the document is missing from the submission")
	}
	v.used[t.path] = true
	if int64(len(data)) != t.length || manifests.SumSHA256(data) != t.hash {
		return refuse(t.path, "its %d bytes are not the %d that %s signs", len(data), t.length, name)
	}
	r, err := manifests.ParseRelease(data)
	if err != nil {
		return refuse(t.path, "%v", err)
	}
	if r.Product != t.ref.Product || r.Build != t.ref.Build {
		return refuse(t.path, "is about build %d of %s", r.Build, r.Product)
	}
	for _, check := range []func(string, *manifests.Release) error{v.checkNew, v.checkSuccession, v.checkVoteKeys, v.checkBlobs} {
		if err := check(t.path, r); err != nil {
			return err
		}
	}
	return nil
}

// checkNew refuses a build number that was used before, also by a build that
// was withdrawn.
func (v *verifier) checkNew(path string, r *manifests.Release) error {
	old, err := v.ledger.Release(v.ctx, vote.Ref{Product: r.Product, Build: r.Build})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	case old.State == store.ReleaseRetired:
		return refuse(path, "build %d was retired; a rollback is a new, higher build", r.Build)
	case old.State == store.ReleaseWithdrawn:
		return refuse(path, "build %d was withdrawn; a fix is a new, higher build", r.Build)
	}
	return nil
}

// checkSuccession applies the rules that join releases, against every live
// build that this one may replace: an owner who skipped a build must not be
// widened upon without being asked.
func (v *verifier) checkSuccession(path string, r *manifests.Release) error {
	return refuseFirst(path, lint.CheckSuccession(path, r, v.live[r.Product], true))
}

// checkVoteKeys refuses keys that this server could not count under.
func (v *verifier) checkVoteKeys(path string, r *manifests.Release) error {
	if r.Votes.Primary == nil {
		return nil
	}
	primary, spare, err := v.master.Rules(vote.Ref{Product: r.Product, Build: r.Build})
	if err != nil {
		return err
	}
	if *r.Votes.Primary != primary || *r.Votes.Spare != spare {
		return refuse(path, "its vote keys are not this server's; take them from `candor-server vote-keys %s %d`", r.Product, r.Build)
	}
	return nil
}
