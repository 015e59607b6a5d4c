package ceremony

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/lint"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Retirement says which releases leave a product's list, and which stay although
// they are old.
type Retirement struct {
	Gone []manifests.Build
	Kept map[manifests.Build]string // why handsets need it, in words
}

// Retirable tells which live releases of a product no handset needs: none that is
// the newest for a model, none that a rollout offers, and no stepping stone.
func Retirable(s *State, product manifests.Product, offered []manifests.Build) (Retirement, error) {
	live, err := s.Releases(product)
	if err != nil {
		return Retirement{}, err
	}
	r := Retirement{Kept: lint.Needed(pointers(live), offered)}
	for i := range live {
		if r.Kept[live[i].Build] == "" {
			r.Gone = append(r.Gone, live[i].Build)
		}
	}
	return r, nil
}

// Offered reads which builds of a product the service's rollouts may install now.
func Offered(ctx context.Context, src Source, anchor keyring.Anchor, product manifests.Product, now time.Time) ([]manifests.Build, error) {
	w := &walk{ctx: ctx, src: src, now: now, only: &vote.Ref{Product: product}}
	if err := w.run(anchor); err != nil {
		return nil, fmt.Errorf("published metadata: %w", err)
	}
	role, path := w.roles[layout.RolloutsRole], layout.RolloutsPath(product)
	if role == nil || role.Signed.Targets[path] == nil {
		return nil, nil
	}
	t := role.Signed.Targets[path]
	doc, err := w.readRollouts(path, t.Length, t.Hashes["sha256"])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return offeredBy(doc), nil
}

func offeredBy(doc *rollout.Document) []manifests.Build {
	var out []manifests.Build
	for i := range doc.Rollouts {
		if doc.Rollouts[i].State.Installable() {
			out = append(out, doc.Rollouts[i].Build)
		}
	}
	return out
}

// RetireReleases proposes a product's list of releases without builds that no
// handset needs, and says so in it (layout.FieldRetires): they leave in honour,
// and the service archives them as such. offered are what rollouts install now.
func RetireReleases(s *State, product manifests.Product, gone, offered []manifests.Build, now time.Time) (*Proposal, error) {
	live, err := s.Releases(product)
	if err != nil {
		return nil, err
	}
	if err := lint.CheckRetirement(product, pointers(live), offered, gone).First(); err != nil {
		return nil, err
	}
	next, err := s.nextReleases(product, now, 0)
	if err != nil {
		return nil, err
	}
	list := []any{}
	for _, b := range slices.Sorted(slices.Values(gone)) {
		delete(next.Signed.Targets, layout.ReleasePath(product, b))
		list = append(list, int64(b))
	}
	next.Signed.UnrecognizedFields[layout.FieldRetires] = list
	dropSpare(&next.Signed)
	p := newProposal(KindReleasesRetire, now)
	p.Product, p.Base = product, s.base(product)
	return p.finish(part{layout.ReleasesRole(product), next.Signed})
}

// retiredBy is what the proposed list says that it retires.
func (v *view) retiredBy(p *Proposal) ([]manifests.Build, error) {
	f, found, err := fileOf(layout.ReleasesRole(p.Product), v.releases)
	if err == nil {
		err = found.First()
	}
	if err != nil {
		return nil, err
	}
	return f.Retires, nil
}

func (v *view) checkReleasesRetire(p *Proposal) error {
	gone, err := v.retiredBy(p)
	if err != nil {
		return err
	}
	if p.Build != 0 || len(gone) == 0 {
		return fmt.Errorf("a proposal of kind %s names the builds that leave in %s", p.Kind, layout.FieldRetires)
	}
	// What rollouts offer is not in a proposal; the service looks at that.
	if err := lint.CheckRetirement(p.Product, pointers(v.before), nil, gone).First(); err != nil {
		return err
	}
	return v.expect(layout.ReleasesRole(p.Product), v.baseReleases, v.releases, func(want, next *metadata.TargetsType) error {
		for _, b := range gone {
			delete(want.Targets, layout.ReleasePath(p.Product, b))
		}
		fields := maps.Clone(want.UnrecognizedFields)
		fields[layout.FieldRetires] = next.UnrecognizedFields[layout.FieldRetires]
		want.UnrecognizedFields = fields
		return nil
	})
}

func describeReleasesRetire(v *view, p *Proposal) []string {
	gone, err := v.retiredBy(p)
	if err != nil {
		return []string{err.Error()}
	}
	names := make([]string, len(gone))
	for i, b := range gone {
		names[i] = b.String()
	}
	lines := []string{fmt.Sprintf("RETIRES builds %s of %s: no handset needs them any more. They are archived, and can still be verified.", strings.Join(names, ", "), p.Product)}
	needed := lint.Needed(pointers(v.before), nil)
	for _, b := range slices.Sorted(maps.Keys(needed)) {
		lines = append(lines, fmt.Sprintf("  build %d stays: %s", b, needed[b]))
	}
	return lines
}
