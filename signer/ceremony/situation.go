package ceremony

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Situation is what a published tree says on a bad day, as far as it can be
// verified from a trusted root: who signs what, with which keys, until when, and
// what is on offer. Nothing in it is hidden because it has expired or looks
// odd; that is what its reader wants to know.
type Situation struct {
	Now      time.Time  `json:"now"`
	Root     Held       `json:"root"`
	OldRoot  *time.Time `json:"oldRootExpires,omitempty"` // of the root before
	Targets  *Held      `json:"targets,omitempty"`
	Service  []Held     `json:"service"` // timestamp, snapshot and rollouts, by their keys
	Since    int64      `json:"serviceKeysSinceRoot"`
	Issued   *time.Time `json:"issued,omitempty"` // as the timestamp says
	Products []InForce  `json:"products"`
	Findings []Finding  `json:"findings"` // what does not hold
	Problem  string     `json:"problem,omitempty"`
}

// Held is a role with those who hold its keys.
type Held struct {
	Role      string    `json:"role"`
	Version   int64     `json:"version"` // zero: its file could not be verified
	Expires   time.Time `json:"expires,omitzero"`
	Threshold int       `json:"threshold"`
	Holders   []Holder  `json:"holders"`
	SignedBy  []string  `json:"signedBy,omitempty"` // whose signatures over the file hold
}

// Holder is a key of a role; the service's keys have the role as name.
type Holder struct {
	Name  string `json:"name"`
	KeyID string `json:"keyId"`
	Words string `json:"words"`
}

// InForce is a product as published.
type InForce struct {
	Product  manifests.Product   `json:"product"`
	Held     Held                `json:"held"` // its list of releases
	NextBy   time.Time           `json:"nextBy"`
	Live     []manifests.Release `json:"live"`     // lowest build first
	Rollouts []rollout.Rollout   `json:"rollouts"` // as the service publishes them
	Counter  uint64              `json:"counter"`
}

// Survey reads what a published tree says. The walk goes as far as signatures
// hold; where it ends is Problem. Only a tree that does not descend from the
// trusted root is an error: nothing in it could be believed.
func Survey(ctx context.Context, src Source, anchor keyring.Anchor, now time.Time) (*Situation, error) {
	w := &walk{ctx: ctx, src: src, now: now}
	err := w.run(anchor)
	if len(w.roots) == 0 || errors.Is(err, ErrOtherRoot) {
		return nil, err
	}
	s := &Situation{Now: now, Service: []Held{}, Products: []InForce{}, Findings: slices.Clone(w.expired)}
	if err != nil {
		s.Problem = err.Error()
	} else {
		s.Findings = append(s.Findings, slices.DeleteFunc(w.checkRollouts(), func(f Finding) bool { return f.Holds })...)
	}
	if err := s.readRoot(w); err != nil {
		return nil, err
	}
	if w.targets == nil {
		return s, nil
	}
	return s, s.readTargets(w)
}

func (s *Situation) readRoot(w *walk) error {
	root := w.root()
	var tables []roleTable
	for _, name := range []string{metadata.ROOT, metadata.TARGETS, metadata.TIMESTAMP, metadata.SNAPSHOT} {
		t, err := rootRole(root, name)
		if err != nil {
			return err
		}
		tables = append(tables, t)
	}
	s.Root = heldBy(tables[0], root.Signed.Version, root.Signed.Expires, signersOf(tables[0], root))
	if n := len(w.roots); n > 1 {
		s.OldRoot = new(w.roots[n-2].Signed.Expires)
	}
	stamp, snap := heldBy(tables[2], 0, time.Time{}, nil), heldBy(tables[3], 0, time.Time{}, nil)
	if w.timestamp != nil {
		stamp.Version, stamp.Expires = w.timestamp.Signed.Version, w.timestamp.Signed.Expires
		if at, err := issuedOf(w.timestamp); err == nil {
			s.Issued = &at
		}
	}
	if w.snapshot != nil {
		snap.Version, snap.Expires = w.snapshot.Signed.Version, w.snapshot.Signed.Expires
	}
	s.Service = append(s.Service, stamp, snap)
	for s.Since = root.Signed.Version; s.Since > 1; s.Since-- {
		before, err := rootRole(w.roots[s.Since-2], metadata.TIMESTAMP)
		if err != nil || !slices.Equal(before.keyIDs, tables[2].keyIDs) {
			break
		}
	}
	return nil
}

func (s *Situation) readTargets(w *walk) error {
	top, err := rootRole(w.root(), metadata.TARGETS)
	if err != nil {
		return err
	}
	s.Targets = new(heldBy(top, w.targets.Signed.Version, w.targets.Signed.Expires, signersOf(top, w.targets)))
	for _, d := range w.targets.Signed.Delegations.Roles {
		t, err := delegatedRole(w.targets, d.Name)
		if err != nil {
			return err
		}
		m := w.roles[d.Name]
		h := heldBy(t, 0, time.Time{}, nil)
		if m != nil {
			h = heldBy(t, m.Signed.Version, m.Signed.Expires, signersOf(t, m))
		}
		if d.Name == layout.RolloutsRole {
			h.SignedBy = nil
			s.Service = append(s.Service, h)
			continue
		}
		if err := s.readProduct(w, h, m); err != nil {
			return err
		}
	}
	return nil
}

func (s *Situation) readProduct(w *walk, h Held, m *targetsMeta) error {
	product, err := productOf(h.Role)
	if err != nil {
		return err
	}
	p := InForce{Product: product, Held: h, Live: []manifests.Release{}, Rollouts: []rollout.Rollout{}}
	if m != nil {
		if p.NextBy, err = nextBy(h.Role, m); err != nil {
			return err
		}
		for path := range m.Signed.Targets {
			body, read := w.documents[path]
			if !read {
				continue // the walk ended before it
			}
			r, err := readDocument(product, m, Document{Path: path, Body: body})
			if err != nil {
				return err
			}
			p.Live = append(p.Live, r)
		}
		slices.SortFunc(p.Live, func(a, b manifests.Release) int { return cmp.Compare(a.Build, b.Build) })
	}
	if role := w.roles[layout.RolloutsRole]; role != nil {
		if target := role.Signed.Targets[layout.RolloutsPath(product)]; target != nil {
			doc, err := w.readRollouts(layout.RolloutsPath(product), target.Length, target.Hashes["sha256"])
			if err == nil { // otherwise it is among the findings
				p.Rollouts, p.Counter = doc.Rollouts, doc.Counter
			}
		}
	}
	s.Products = append(s.Products, p)
	return nil
}

// Product gives a product of the situation.
func (s *Situation) Product(p manifests.Product) (*InForce, bool) {
	i := slices.IndexFunc(s.Products, func(f InForce) bool { return f.Product == p })
	if i < 0 {
		return nil, false
	}
	return &s.Products[i], true
}

// Find gives the one holder in a role whose name, or the beginning of whose key
// id, is given; false if there is none, or more than one.
func (h *Held) Find(who string) (Holder, bool) {
	t := roleTable{name: h.Role, holders: map[string]string{}}
	for _, p := range h.Holders {
		t.keyIDs = append(t.keyIDs, p.KeyID)
		t.holders[p.KeyID] = p.Name
	}
	i, err := t.find(who)
	if err != nil {
		return Holder{}, false
	}
	return h.Holders[i], true
}

// Names lists the holders of a role, sorted.
func (h *Held) Names() []string {
	out := make([]string, len(h.Holders))
	for i, p := range h.Holders {
		out[i] = p.Name
	}
	slices.Sort(out)
	return out
}

func heldBy(t roleTable, version int64, expires time.Time, signed []string) Held {
	h := Held{Role: t.name, Version: version, Expires: expires, Threshold: t.threshold, Holders: []Holder{}, SignedBy: signed}
	for _, id := range t.keyIDs {
		h.Holders = append(h.Holders, Holder{Name: t.holderOf(id), KeyID: id, Words: wordsOf(id)})
	}
	return h
}

// signersOf names those of a row whose signatures over a file hold.
func signersOf[T metadata.Roles](t roleTable, m *metadata.Metadata[T]) []string {
	body, err := payload(m.Signed)
	if err != nil {
		return nil
	}
	var names []string
	for _, s := range m.Signatures {
		if key, ok := t.keys[s.KeyID]; ok && key.Verify(body, s.Signature) {
			names = append(names, t.holderOf(s.KeyID))
		}
	}
	slices.Sort(names)
	return names
}
