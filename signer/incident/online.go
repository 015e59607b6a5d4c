package incident

import (
	"fmt"
	"strings"
	"time"

	"github.com/candor-ota/candor/signer/ceremony"
)

const onlineFile = "online-keys.json"

func (b *book) onlineKey() error {
	b.p.Title = "A key of the service is in wrong hands: timestamp, snapshot or rollouts. All three are replaced, whichever it was."
	b.newOnlineKeys()
	b.newVoteKeys()
	b.lookAtRollouts()
	b.p.Stops = []string{
		"Whatever the old keys sign from now on: no handset that has seen the new root believes it.",
		"Version numbers and times that a thief has run up to their end: handsets forget them with the keys that signed them, and need no visit.",
	}
	b.p.Leaves = []string{
		"What a handset installed while the thief offered it. It can only be a build that your engineers signed, at the pace that they signed: compare the list of live builds above with what you meant to offer, and withdraw what should not be there.",
		"A handset that the thief keeps off every other network. It hears nothing until what people signed expires.",
	}
	b.p.Owners = []string{
		"Nothing was installed that our engineers did not sign. No phone needs to be brought in.",
		"A phone that has been on a network you do not trust should look for updates once on another one.",
	}
	b.exposure()
	b.check(keyWords(b.service())...)
	return nil
}

// service are the keys that the service signs with now.
func (b *book) service() []ceremony.Holder {
	var out []ceremony.Holder
	for i := range b.s.Service {
		out = append(out, b.s.Service[i].Holders...)
	}
	return out
}

func (b *book) newOnlineKeys() {
	state, found := b.replaced()
	b.add(Step{
		Title: "New keys on the server", Who: "whoever runs it",
		Commands: []Command{server("keys", "new"), server("keys", "list")},
		Why:      "They wait beside the old ones until root holders have signed them; the server goes on meanwhile. With several servers, copy keys/ to each of them.",
		Seen:     "`keys list` shows a set that is waiting",
		State:    b.follows(state), Found: b.unless(state, "keys that wait are on the server alone"),
	})
	const file = "rotate-online.proposal.json"
	b.add(Step{
		Title: "Root holders name the new keys", Who: "root holders; read the words of the keys to each other over the telephone",
		Commands: []Command{
			b.signer("root", "rotate-online", "--online", onlineFile), b.sign(file, holdersOf(&b.s.Root)), b.submit(file),
		},
		Why:   "Handsets forget what a key has shown them when no root lists it any more, and not before. That is why all three go.",
		Seen:  fmt.Sprintf("root %d is published, and the service signs with the new keys", b.s.Root.Version+1),
		State: state, Found: found,
	})
	fresh, when := b.renewed(state)
	b.add(Step{
		Title: "The service speaks with the new keys", Who: "anybody",
		Commands: []Command{{Line: "candor-signer verify " + b.place()}},
		Why:      "The server begins to sign with them by itself as soon as the new root is published, and its numbers go on where they were.",
		Seen:     "everything holds, and the timestamp is of today",
		State:    fresh, Found: when,
	})
	b.add(Step{
		Title: "The old keys go", Who: "whoever runs the server",
		Commands: []Command{server("keys", "remove", "1")},
		Why:      "So that nobody puts them back into use, by mistake or out of a backup. The number is that of the set which `keys list` calls old.",
		Seen:     "`keys list` shows one set, in use",
		State:    Unseen, Found: "what lies on the server cannot be seen from here",
	})
}

// replaced tells whether the keys of the service are other ones than those that
// are gone.
func (b *book) replaced() (State, string) {
	if len(b.c.Gone) == 0 {
		if b.c.Check && b.s.Since > 1 {
			return Done, fmt.Sprintf("they were replaced in root %d; if the theft was after that, they have to be replaced again: name the stolen keys with --gone to be sure", b.s.Since)
		}
		return Open, fmt.Sprintf("the keys in force came with root %d", b.s.Since)
	}
	for _, who := range b.c.Gone {
		for i := range b.s.Service {
			if p, ok := b.s.Service[i].Find(who); ok {
				return Open, fmt.Sprintf("%s is still signed with key %s", p.Name, short(p.KeyID))
			}
		}
	}
	return Done, fmt.Sprintf("replaced in root %d; none of %s is listed any more", b.s.Since, strings.Join(b.c.Gone, ", "))
}

// follows is the state of a step that cannot be seen, but must have come before
// one that can.
func (b *book) follows(later State) State {
	if later == Done {
		return Done
	}
	return Unseen
}

func (b *book) unless(later State, otherwise string) string {
	if later == Done {
		return "the step after it is done"
	}
	return otherwise
}

// renewed tells whether what is published is the new keys' word.
func (b *book) renewed(replaced State) (State, string) {
	switch {
	case b.s.Problem != "":
		return Open, b.s.Problem
	case replaced != Done:
		return Open, "the service still signs with the old keys"
	case b.s.Issued == nil || b.s.Now.After(b.s.Service[0].Expires):
		return Open, "the timestamp is not of today"
	default:
		return Done, "timestamp renewed under the new key, " + moment(*b.s.Issued)
	}
}

// place is the published tree as an argument.
func (b *book) place() string {
	_, place, _ := strings.Cut(b.from(), " ")
	return place
}

// newVoteKeys is about the master that lies beside the keys.
func (b *book) newVoteKeys() {
	b.add(Step{
		Title: "Judge by people, not by votes, if keys/ was copied as a whole", Who: "operators",
		Commands: []Command{b.operate("rollout", "list")},
		Why:      "keys/vote-master lies beside the keys. Its thief can make up votes for every live build, under both sets of its vote keys, good ones and bad ones; he cannot learn whose votes are whose. Pause what is rolling out, and go on by hand, with a reason. For builds to come, stop the server and put the vote master of a fresh `candor-server init` in its place.",
		Seen:     "no rollout advances by itself",
		State:    Unseen, Found: "who has a copy of the vote master cannot be seen from here",
	})
}

func (b *book) lookAtRollouts() {
	b.add(Step{
		Title: "Look at what is on offer", Who: "operators",
		Commands: []Command{b.operate("rollout", "list"), server("audit", "verify")},
		Why:      "A thief may have opened rollouts while he was believed. What is above under \"rollout\" and not in your own list is his; it ends with the first document that the server signs with the new keys.",
		Seen:     "what is published is what your operators started, and the audit log is unbroken up to a head that you noted",
		State:    b.findings(), Found: b.findingsText(),
	})
}

func (b *book) findings() State {
	if len(b.s.Findings) > 0 || b.s.Problem != "" {
		return Open
	}
	return Unseen
}

func (b *book) findingsText() string {
	if n := len(b.s.Findings); n > 0 {
		return fmt.Sprintf("%d things do not hold, see above", n)
	}
	return "all that is published holds; whether it is what you meant, you know"
}

// exposure says how long a handset can be held back.
func (b *book) exposure() {
	parts := []string{}
	for i := range b.s.Products {
		f := &b.s.Products[i]
		parts = append(parts, fmt.Sprintf("%s until %s, its owner being told from %s on that promised news is missing", f.Product, moment(firstEnd(b.s, f)), f.NextBy.Format(time.DateOnly)))
	}
	if len(parts) == 0 {
		parts = append(parts, "until "+moment(firstEnd(b.s, nil)))
	}
	b.p.Until = "A handset on an open network until its next poll (6 hours at most, unless configured otherwise). One that the thief keeps off all other networks at most until what people signed before expires: " + strings.Join(parts, "; ") + "."
}
