package release

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/candor-ota/candor/manifests/event"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/server/publish"
)

// Published is what stands in the tree at one moment, for judging proposals.
// It is not safe for concurrent use.
type Published struct {
	state publish.State
	top   *parsed // root and targets
	known map[string]fingerprints
}

// fingerprints of one role: as Proposal has them in Base and in After.
type fingerprints struct{ base, after string }

// Published reads the tree.
func (in *Intake) Published(ctx context.Context) (*Published, error) {
	state, err := in.Tree.State(ctx)
	if err != nil {
		return nil, err
	}
	top, err := files{roots: state.Roots, targets: state.Targets}.parse("")
	if err != nil {
		return nil, err
	}
	return &Published{state: state, top: top, known: map[string]fingerprints{}}, nil
}

// Fits tells whether a proposal that starts from base starts from what is
// published now.
func (p *Published) Fits(base map[string]string) (bool, error) {
	return p.all(base, func(f fingerprints, want string) bool { return f.base == want })
}

// Holds tells whether what was proposed, as After has it, is what is published.
func (p *Published) Holds(after map[string]string) (bool, error) {
	return p.all(after, func(f fingerprints, want string) bool { return f.after == want })
}

func (p *Published) all(want map[string]string, same func(fingerprints, string) bool) (bool, error) {
	for role, w := range want {
		f, err := p.of(role)
		if err != nil || !same(f, w) {
			return false, err
		}
	}
	return true, nil
}

func (p *Published) of(role string) (fingerprints, error) {
	if f, ok := p.known[role]; ok {
		return f, nil
	}
	s := *p.top
	if product, ok := layout.ReleasesRoleProduct(role); ok {
		one, err := files{releases: p.state.Releases[product]}.parse(product)
		if err != nil {
			return fingerprints{}, err
		}
		s.releases = one.releases
	}
	payload, err := s.payload(role)
	if err != nil {
		return fingerprints{}, err
	}
	f := fingerprints{base: s.standing(role)}
	if payload != nil {
		f.after = fingerprint(payload)
	}
	p.known[role] = f
	return f, nil
}

// SameRoot tells whether a proposal belongs to the system that is published:
// their first roots sign the same. The first root of a system that has none is
// its own.
func (p *Published) SameRoot(proposal *Proposal) bool {
	first := len(proposal.Proposal.Base.Roots) == 0 || proposal.Kind == event.RootAdopt
	if len(p.state.Roots) == 0 || first {
		return len(p.state.Roots) == 0 && first
	}
	return bytes.Equal(signedPart(p.state.Roots[0]), signedPart([]byte(proposal.Proposal.Base.Roots[0])))
}

// signedPart is what of a metadata file is signed; nil if it is none.
func signedPart(file []byte) []byte {
	var f struct {
		Signed json.RawMessage `json:"signed"`
	}
	if json.Unmarshal(file, &f) != nil {
		return nil
	}
	return f.Signed
}
