package event

import (
	"fmt"
	"maps"
	"slices"

	"github.com/candor-ota/candor/manifests/layout"
)

// Kind says what a proposal does. Each kind allows exactly one change.
type Kind string

// The kinds of proposal.
const (
	Init       Kind = "init"        // the first root and targets
	ProductAdd Kind = "product-add" // one more delegation, and its empty role
	Release    Kind = "release"     // one more release of a product
	Withdraw   Kind = "withdraw"    // one release less
	Renew      Kind = "renew"       // a later expiry, nothing else
	SpareVotes Kind = "spare-votes" // votes on one release move to its spare keys
	OnlineKeys Kind = "online-keys" // other keys of the service, all three of them

	RootPeople    Kind = "root-people"    // other holders or thresholds of root and targets
	ProductPeople Kind = "product-people" // other engineers of a product, and its list signed by them
	ProductRetire Kind = "product-retire" // a product without releases, for ever

	ReleasesRetire Kind = "releases-retire" // old releases less, which no handset needs
	RootAdopt      Kind = "root-adopt"      // a root that goes on from one of another tool's
)

// The top-level roles that people sign.
const (
	RoleRoot    = "root"
	RoleTargets = "targets"
)

// rule is what every reader of a kind can check without trust of its own.
type rule struct {
	// signs lists the roles that such a proposal signs, in order.
	signs func(*Proposal) []string
	// images says that a signer has to look at images, and to say how.
	images bool
}

// rules has every kind there is. One that is added needs a line here, and the
// change that it allows in the signer's package ceremony.
var rules = map[Kind]rule{
	Init:       {signs: theTop},
	ProductAdd: {signs: theProduct},
	Release:    {signs: theReleases, images: true},
	Withdraw:   {signs: theReleases},
	Renew:      {signs: oneRole},
	SpareVotes: {signs: theReleases},
	OnlineKeys: {signs: theTop},

	RootPeople:    {signs: theTop},
	ProductPeople: {signs: theProduct},
	ProductRetire: {signs: theReleases},

	ReleasesRetire: {signs: theReleases},
	RootAdopt:      {signs: theTop},
}

// Kinds gives every kind there is, sorted.
func Kinds() []Kind { return slices.Sorted(maps.Keys(rules)) }

// HasImages tells whether whoever signs a proposal of this kind has to say how
// the images were looked at.
func (k Kind) HasImages() bool { return rules[k].images }

func theTop(*Proposal) []string { return []string{RoleRoot, RoleTargets} }

func theProduct(p *Proposal) []string {
	return []string{RoleTargets, layout.ReleasesRole(p.Product)}
}

func theReleases(p *Proposal) []string { return []string{layout.ReleasesRole(p.Product)} }

// oneRole is the product's releases or, without a product, root or targets,
// whichever is there.
func oneRole(p *Proposal) []string {
	switch {
	case p.Product != "":
		return theReleases(p)
	case len(p.Roles) == 1 && p.Roles[0].Name == RoleRoot:
		return []string{RoleRoot}
	}
	return []string{RoleTargets}
}

// checkRoles refuses a proposal of an unknown kind, and one that signs other
// roles than its kind does.
func (p *Proposal) checkRoles() error {
	r, ok := rules[p.Kind]
	if !ok {
		return fmt.Errorf("unknown kind %q; this program knows %v, a newer one may know more", p.Kind, Kinds())
	}
	want := r.signs(p)
	have := make([]string, len(p.Roles))
	for i := range p.Roles {
		have[i] = p.Roles[i].Name
	}
	if !slices.Equal(want, have) {
		return fmt.Errorf("a proposal of kind %s signs %q, this one holds %q", p.Kind, want, have)
	}
	return nil
}
