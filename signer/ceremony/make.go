package ceremony

import (
	"errors"
	"fmt"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/event"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/lint"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// How long signed metadata lives, counted from the moment the proposal is made.
const (
	RootLife     = lint.RootLife
	TargetsLife  = lint.TargetsLife
	ReleasesLife = lint.ReleasesLife
	NextWord     = lint.NextWord // x-next-by: when the product's engineers sign again at the latest
)

// InitOptions describes the first ceremony.
type InitOptions struct {
	RootKeys  []keyring.Public // sign root and targets
	Threshold int              // how many of them must
	Online    Online
	Now       time.Time
}

// Init proposes version 1 of root and targets.
func Init(o InitOptions) (*Proposal, error) {
	if err := checkKeys(metadata.ROOT, o.RootKeys); err != nil {
		return nil, err
	}
	root := metadata.Root(seconds(o.Now.Add(RootLife)))
	ids, fields, table := row(o.RootKeys)
	for _, name := range []string{metadata.ROOT, metadata.TARGETS} {
		root.Signed.Roles[name] = &metadata.Role{KeyIDs: ids, Threshold: o.Threshold, UnrecognizedFields: fields}
	}
	root.Signed.Keys = table
	for name, k := range map[string]OnlineKey{metadata.SNAPSHOT: o.Online.Snapshot, metadata.TIMESTAMP: o.Online.Timestamp} {
		root.Signed.Roles[name] = &metadata.Role{KeyIDs: []string{k.KeyID}, Threshold: 1}
		root.Signed.Keys[k.KeyID] = tufKey(k.Key)
	}
	targets := metadata.Targets(seconds(o.Now.Add(TargetsLife)))
	rollouts := o.Online.Rollouts
	targets.Signed.Delegations = &metadata.Delegations{
		Keys: map[string]*metadata.Key{rollouts.KeyID: tufKey(rollouts.Key)},
		Roles: []metadata.DelegatedRole{{
			Name: layout.RolloutsRole, KeyIDs: []string{rollouts.KeyID}, Threshold: 1,
			Terminating: true, Paths: []string{layout.RolloutsPattern},
		}},
	}
	p := newProposal(KindInit, o.Now)
	return p.finish(part{metadata.ROOT, root.Signed}, part{metadata.TARGETS, targets.Signed})
}

// ProductOptions describes a product to be added.
type ProductOptions struct {
	Product   manifests.Product
	Engineers []keyring.Public
	Threshold int
	Now       time.Time
}

// AddProduct proposes the delegation to a product's engineers, and the
// product's first, empty list of releases. Root holders sign the one,
// engineers the other.
func AddProduct(s *State, o ProductOptions) (*Proposal, error) {
	role := layout.ReleasesRole(o.Product)
	if err := checkKeys(role, o.Engineers); err != nil {
		return nil, err
	}
	if _, err := delegatedRole(s.targets, role); err == nil {
		return nil, fmt.Errorf("product %s exists already", o.Product)
	}
	targets, err := cloneTargets(metadata.TARGETS, s.targets)
	if err != nil {
		return nil, err
	}
	pattern, err := pathsOf(role)
	if err != nil {
		return nil, err
	}
	ids, fields, table := row(o.Engineers)
	d := targets.Signed.Delegations
	d.Roles = append(d.Roles, metadata.DelegatedRole{
		Name: role, KeyIDs: ids, Threshold: o.Threshold, Terminating: true,
		Paths: []string{pattern}, UnrecognizedFields: fields,
	})
	for id, k := range table {
		d.Keys[id] = k
	}
	targets.Signed.Version++
	targets.Signed.Expires = seconds(o.Now.Add(TargetsLife))
	releases := metadata.Targets()
	renewReleases(&releases.Signed, o.Now, NextWord)
	p := newProposal(KindProduct, o.Now)
	p.Product = o.Product
	p.Base = s.base("")
	return p.finish(part{metadata.TARGETS, targets.Signed}, part{role, releases.Signed})
}

// ReleaseOptions describes a release to be added.
type ReleaseOptions struct {
	Document []byte        // canonical release document
	NextBy   time.Duration // promise of the next word; zero is NextWord
	Now      time.Time
}

// AddRelease proposes one more release of its product, after CheckPolicy
// against every live one.
func AddRelease(s *State, o ReleaseOptions) (*Proposal, error) {
	release, err := manifests.ParseRelease(o.Document)
	if err != nil {
		return nil, err
	}
	next, err := s.nextReleases(release.Product, o.Now, o.NextBy)
	if err != nil {
		return nil, err
	}
	path := layout.ReleasePath(release.Product, release.Build)
	target, err := metadata.TargetFile().FromBytes(path, o.Document, "sha256")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if _, ok := next.Signed.Targets[path]; ok {
		return nil, fmt.Errorf("%s build %d is published already; a new release needs a higher build", release.Product, release.Build)
	}
	next.Signed.Targets[path] = target
	p := newProposal(KindRelease, o.Now)
	p.Product, p.Build, p.Base = release.Product, release.Build, s.base(release.Product)
	p.Documents = []Document{{Path: path, Body: string(o.Document)}}
	return p.finish(part{layout.ReleasesRole(release.Product), next.Signed})
}

// Withdraw proposes a product's list of releases without one build. Once it is
// published, not even stolen online keys can offer that build.
func Withdraw(s *State, product manifests.Product, build manifests.Build, now time.Time) (*Proposal, error) {
	next, err := s.nextReleases(product, now, 0)
	if err != nil {
		return nil, err
	}
	path := layout.ReleasePath(product, build)
	if _, ok := next.Signed.Targets[path]; !ok {
		return nil, fmt.Errorf("%s build %d is not published, so it cannot be withdrawn", product, build)
	}
	delete(next.Signed.Targets, path)
	dropSpare(&next.Signed)
	p := newProposal(KindWithdraw, now)
	p.Product, p.Build, p.Base = product, build, s.base(product)
	return p.finish(part{layout.ReleasesRole(product), next.Signed})
}

// RenewReleases proposes a product's list of releases unchanged, with a later
// expiry and promise: the word that engineers owe even when nothing happens.
func RenewReleases(s *State, product manifests.Product, now time.Time) (*Proposal, error) {
	next, err := s.nextReleases(product, now, 0)
	if err != nil {
		return nil, err
	}
	p := newProposal(KindRenew, now)
	p.Product, p.Base = product, s.base(product)
	return p.finish(part{layout.ReleasesRole(product), next.Signed})
}

// RenewTop proposes root or targets unchanged, with a later expiry.
func RenewTop(s *State, role string, now time.Time) (*Proposal, error) {
	p := newProposal(KindRenew, now)
	p.Base = s.base("")
	switch role {
	case metadata.ROOT:
		signed := s.root.Signed
		signed.Version++
		signed.Expires = seconds(now.Add(RootLife))
		return p.finish(part{role, signed})
	case metadata.TARGETS:
		signed := s.targets.Signed
		signed.Version++
		signed.Expires = seconds(now.Add(TargetsLife))
		return p.finish(part{role, signed})
	default:
		return nil, errors.New("only root, targets and the releases of a product are renewed by people")
	}
}

// nextReleases is the next version of a product's role, not yet changed.
func (s *State) nextReleases(product manifests.Product, now time.Time, word time.Duration) (*targetsMeta, error) {
	role := layout.ReleasesRole(product)
	old, ok := s.releases[product]
	if !ok {
		return nil, fmt.Errorf("%s: not published; `product add %s` comes first", role, product)
	}
	next, err := cloneTargets(role, old)
	if err != nil {
		return nil, err
	}
	if word == 0 {
		word = NextWord
	}
	next.Signed.Version++
	renewReleases(&next.Signed, now, word)
	return next, nil
}

func renewReleases(signed *metadata.TargetsType, now time.Time, word time.Duration) {
	signed.Expires = seconds(now.Add(ReleasesLife))
	kept := keptSpare(signed)
	signed.UnrecognizedFields = layout.WithSpareVotes(map[string]any{nextByField: seconds(now.Add(word)).Format(time.RFC3339)}, kept)
}

// part is one role on its way into a proposal.
type part struct {
	role   string
	signed any
}

func newProposal(kind Kind, now time.Time) *Proposal {
	return &Proposal{Proposal: event.Proposal{
		Format: event.Format, Kind: kind, Created: seconds(now).Format(time.RFC3339),
		Base:      Base{Roots: []string{}, Documents: []Document{}},
		Documents: []Document{}, Statements: []Statement{}, Rejections: []Rejection{},
	}}
}

// finish adds the roles and runs the checks that every reader will run.
func (p *Proposal) finish(parts ...part) (*Proposal, error) {
	for _, part := range parts {
		data, err := signedText(part.signed)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", part.role, err)
		}
		p.Roles = append(p.Roles, Role{Name: part.role, Signed: data, Signatures: []Signature{}})
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	return p, nil
}
