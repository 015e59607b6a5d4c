package incident

import (
	"errors"
	"fmt"
	"strings"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/signer/ceremony"
)

// Case is what has happened, as far as people know.
type Case struct {
	Kind    Kind
	Product manifests.Product // empty: all of them, or the only one
	Build   manifests.Build   // the bad one
	// Gone are the keys that are in wrong hands or lost: a holder's name or the
	// beginning of a key id. For the service none means all of its keys.
	Gone []string
	// Server is the address of the service, From how the commands say where the
	// published tree is (--server URL or --from-dir DIR).
	Server, From string
	Check        bool // which steps are done, instead of what to do
}

// ErrCase means that a case lacks what a plan needs.
var ErrCase = errors.New("incident")

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCase, fmt.Sprintf(format, args...))
}

// leads are the five ways.
var leads = map[Kind]func(*book) error{
	OnlineKey: (*book).onlineKey, EngineerKey: (*book).engineerKey, RootKey: (*book).rootKey,
	BadRelease: (*book).badRelease, ServerOwned: (*book).serverOwned,
}

// Make gives the plan for a case, from what is published.
func Make(s *ceremony.Situation, c Case) (*Plan, error) {
	lead, ok := leads[c.Kind]
	if !ok {
		return nil, refuse("%q is none of %v", c.Kind, Kinds())
	}
	if c.Server == "" {
		c.Server = "URL"
	}
	b := &book{s: s, c: c, p: &Plan{Kind: c.Kind, Facts: facts(s), Steps: []Step{}, Checked: c.Check}}
	if err := lead(b); err != nil {
		return nil, err
	}
	b.p.Done = true
	for _, step := range b.p.Steps {
		b.p.Done = b.p.Done && step.State != Open
	}
	return b.p, nil
}

// book is a plan in the making.
type book struct {
	s *ceremony.Situation
	c Case
	p *Plan
}

func (b *book) add(s Step) {
	if s.Commands == nil {
		s.Commands = []Command{}
	}
	b.p.Steps = append(b.p.Steps, s)
}

// product is the one that the case is about.
func (b *book) product() (*ceremony.InForce, error) {
	if b.c.Product == "" && len(b.s.Products) == 1 {
		return &b.s.Products[0], nil
	}
	if f, ok := b.s.Product(b.c.Product); ok {
		return f, nil
	}
	names := make([]string, len(b.s.Products))
	for i := range b.s.Products {
		names[i] = string(b.s.Products[i].Product)
	}
	return nil, refuse("give --product: one of %s", strings.Join(names, ", "))
}

// gone are the keys of a role that have to go.
type gone struct {
	here    []ceremony.Holder // still listed
	missing []string          // listed no more
}

func (b *book) gone(h *ceremony.Held) gone {
	var out gone
	for _, who := range b.c.Gone {
		if p, ok := h.Find(who); ok {
			out.here = append(out.here, p)
		} else {
			out.missing = append(out.missing, who)
		}
	}
	return out
}

// state of a step by which keys are to leave a role.
func (g gone) state(role string) (State, string) {
	if len(g.here) == 0 && len(g.missing) > 0 {
		return Done, fmt.Sprintf("%s lists %s no more", role, strings.Join(g.missing, ", "))
	}
	names := make([]string, len(g.here))
	for i, p := range g.here {
		names[i] = fmt.Sprintf("%s (key %s)", p.Name, short(p.KeyID))
	}
	return Open, fmt.Sprintf("%s lists %s", role, strings.Join(names, ", "))
}

// check is the command that tells which steps are done.
func (b *book) check(words ...string) {
	line := "candor-signer incident " + string(b.c.Kind) + " --check"
	if len(words) > 0 {
		line += " " + strings.Join(words, " ")
	}
	b.p.Check = line + " " + b.from()
}

func (b *book) from() string {
	if b.c.From != "" {
		return b.c.From
	}
	return "--server " + b.c.Server
}

// keyWords name keys by the beginnings of their ids, which do not change when
// their holders get other ones.
func keyWords(holders []ceremony.Holder) []string {
	out := []string{}
	for _, h := range holders {
		out = append(out, "--gone "+short(h.KeyID))
	}
	return out
}

const shownID = 16 // characters of a key id

func short(id string) string { return id[:min(len(id), shownID)] }

func quoted(name string) string { return `"` + name + `"` }
