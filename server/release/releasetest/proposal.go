package releasetest

import (
	"crypto/ed25519"
	"encoding/hex"
	"slices"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/event"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/strict"
	"github.com/candor-ota/candor/server/publish"
)

// Propose makes a proposal of a release of Phone on what is published, signed
// by nobody. A role that edit changes is signed as it is then.
func (m *Makers) Propose(state publish.State, document []byte, edit ...func(*metadata.TargetsType)) *event.Proposal {
	m.t.Helper()
	r, err := manifests.ParseRelease(document)
	m.must(err)
	next, err := metadata.Targets().FromBytes(state.Releases[Phone])
	m.must(err)
	path, hash := layout.ReleasePath(r.Product, r.Build), manifests.SumSHA256(document)
	next.Signed.Version++
	next.Signed.Expires = m.Now.AddDate(0, 0, 100)
	next.Signed.Targets[path] = &metadata.TargetFiles{Length: int64(len(document)), Hashes: metadata.Hashes{"sha256": hash[:]}}
	for _, e := range edit {
		e(&next.Signed)
	}
	signed, err := strict.Canonical(next.Signed)
	m.must(err)
	p := &event.Proposal{
		Format: event.Format, Kind: event.Release, Product: Phone, Build: r.Build, Created: m.Now.Format(time.RFC3339),
		Base:      event.Base{Roots: []string{}, Targets: string(state.Targets), Releases: string(state.Releases[Phone]), Documents: []event.Document{}},
		Roles:     []event.Role{{Name: layout.ReleasesRole(Phone), Signed: string(signed), Signatures: []event.Signature{}}},
		Documents: []event.Document{{Path: path, Body: string(document)}}, Statements: []event.Statement{}, Rejections: []event.Rejection{},
	}
	for _, root := range state.Roots {
		p.Base.Roots = append(p.Base.Roots, string(root))
	}
	for path, body := range state.Documents {
		p.Base.Documents = append(p.Base.Documents, event.Document{Path: path, Body: string(body)})
	}
	slices.SortFunc(p.Base.Documents, func(a, b event.Document) int { return len(a.Path) - len(b.Path) })
	return p
}

// Says is what somebody says who signs.
func (m *Makers) Says(p *event.Proposal, who Person, image event.Image) event.Said {
	m.t.Helper()
	parts, err := p.Parts()
	m.must(err)
	s := event.Statement{At: m.Now.Format(time.RFC3339), KeyID: who.ID, Holder: holder(who), Image: image, Parts: parts}
	said, err := s.Bytes()
	m.must(err)
	s.Sig = hex.EncodeToString(ed25519.Sign(who.Private, said))
	out := event.Said{KeyID: who.ID, Statement: &s, Signatures: map[string]string{}}
	for _, r := range p.Roles {
		role, err := metadata.Targets().FromBytes([]byte(`{"signatures":[],"signed":` + r.Signed + `}`))
		m.must(err)
		payload, err := cjson.EncodeCanonical(role.Signed)
		m.must(err)
		out.Signatures[r.Name] = hex.EncodeToString(ed25519.Sign(who.Private, payload))
	}
	return out
}

// Rejects is what somebody says who does not.
func (m *Makers) Rejects(p *event.Proposal, who Person, reason string) event.Said {
	m.t.Helper()
	parts, err := p.Parts()
	m.must(err)
	r := event.Rejection{At: m.Now.Format(time.RFC3339), KeyID: who.ID, Holder: holder(who), Reason: reason, Parts: parts}
	said, err := r.Bytes()
	m.must(err)
	r.Sig = hex.EncodeToString(ed25519.Sign(who.Private, said))
	return event.Said{KeyID: who.ID, Rejection: &r}
}
