package ceremony

import (
	"fmt"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/lint"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// The rules themselves are package lint's, which the service holds submissions
// against too. Here they refuse a proposal at the first finding; LintTree and
// LintFile report all of them.

// fileOf is metadata as the rules read it.
func fileOf[T metadata.Roles](role string, m *metadata.Metadata[T]) (*lint.File, lint.Findings, error) {
	shown := *m
	if shown.Signatures == nil {
		shown.Signatures = []metadata.Signature{}
	}
	data, err := shown.ToBytes(false)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", role, err)
	}
	f, found := lint.Read(role, data)
	if f == nil {
		return nil, found, found.First()
	}
	return f, found, nil
}

// lintRoot refuses a root whose role table breaks a rule of Candor's: missing
// or foreign roles, thresholds below two, one person twice, shared online
// keys, keys of other kinds, key ids that are not those of their keys.
func lintRoot(root *rootMeta) error {
	f, found, err := fileOf(metadata.ROOT, root)
	if err != nil {
		return err
	}
	return append(found, lint.CheckRoot(f, nil)...).First()
}

// lintTargets refuses a targets role that lists files, or delegates in any way
// other than flat, disjoint and terminating, or to keys of root and targets.
func lintTargets(root *rootMeta, targets *targetsMeta) error {
	r, _, err := fileOf(metadata.ROOT, root)
	if err != nil {
		return err
	}
	f, found, err := fileOf(metadata.TARGETS, targets)
	if err != nil {
		return err
	}
	return append(found, lint.CheckTargets(r, f, nil)...).First()
}

// lintReleases refuses a releases-<product> role that is not what handsets
// expect: release documents of that product, one hash, a signed next-by.
func lintReleases(product manifests.Product, m *targetsMeta) error {
	f, found, err := fileOf(layout.ReleasesRole(product), m)
	if err != nil {
		return err
	}
	return append(found, lint.CheckReleases(product, f)...).First()
}

// nextBy reads the promise of the next word.
func nextBy(role string, m *targetsMeta) (time.Time, error) {
	var at manifests.Time
	text, ok := m.Signed.UnrecognizedFields[nextByField].(string)
	if err := at.UnmarshalText([]byte(text)); !ok || err != nil {
		return time.Time{}, fmt.Errorf("%s: must sign %s, a time", role, nextByField)
	}
	return at.Time, nil
}

// short is the beginning of a key id or hash, for messages.
func short(id string) string {
	if len(id) > 12 {
		return id[:12]
	}
	return id
}
