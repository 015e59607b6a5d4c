package ceremony

import (
	"errors"
	"fmt"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// retiredLife is how long the last word of a product is good. Nothing more is
// promised, so it lasts as long as anything that people sign.
const retiredLife = TargetsLife

// RetireProduct proposes a product's list of releases without any. The role
// itself stays for ever: a snapshot that lacked a name it had before would be
// refused by every handset, also of other products (AMENDMENTS M9).
func RetireProduct(s *State, product manifests.Product, now time.Time) (*Proposal, error) {
	next, err := s.nextReleases(product, now, retiredLife-24*time.Hour)
	if err != nil {
		return nil, err
	}
	next.Signed.Expires = seconds(now.Add(retiredLife))
	next.Signed.Targets = map[string]*metadata.TargetFiles{}
	dropSpare(&next.Signed)
	p := newProposal(KindRetire, now)
	p.Product, p.Base = product, s.base(product)
	return p.finish(part{layout.ReleasesRole(product), next.Signed})
}

func (v *view) checkRetire(p *Proposal) error {
	if p.Build != 0 {
		return fmt.Errorf("a proposal of kind %s concerns no build", p.Kind)
	}
	role := layout.ReleasesRole(p.Product)
	return v.expect(role, v.baseReleases, v.releases, func(want, next *metadata.TargetsType) error {
		if len(want.Targets) == 0 {
			return errors.New("has no release, so there is nothing to retire; `renew` signs it again")
		}
		if len(next.Targets) != 0 {
			return errors.New("retiring a product leaves no release")
		}
		clear(want.Targets)
		return nil
	})
}

func describeRetire(v *view, p *Proposal) []string {
	return []string{
		fmt.Sprintf("THE END OF A PRODUCT: %s will have no release any more. Withdrawn are builds %s.", p.Product, liveBuilds(v.baseReleases)),
		"Handsets keep what they run and are offered nothing. Its role stays, empty, for ever: without it no handset of any product could go on.",
	}
}
