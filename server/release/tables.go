package release

import (
	"slices"

	"github.com/candor-ota/candor/manifests/event"
)

// Table is one row of a role table: how many of whom.
type Table struct {
	Role      string   `json:"role"`
	Version   int64    `json:"version"` // of the role that is proposed
	Threshold int      `json:"threshold"`
	People    []Person `json:"people"`
}

// Person is somebody who may sign.
type Person struct {
	KeyID  string `json:"keyid"`
	Holder string `json:"holder"` // empty where the table names nobody
}

// Tables are those that a proposal answers to. Each has to be met; root has
// two, the old one and the new one. No table names a person twice.
type Tables []Table

// Progress is how far one table is.
type Progress struct {
	Table
	Signed, Waiting []Person
}

// Met tells whether enough people have signed.
func (p Progress) Met() bool { return len(p.Signed) >= p.Threshold }

// Progress tells for each table who has signed and who may, by what was said.
func (t Tables) Progress(said []event.Said) []Progress {
	out := make([]Progress, len(t))
	for i, table := range t {
		out[i].Table = table
		for _, who := range table.People {
			signed := slices.ContainsFunc(said, func(s event.Said) bool { return s.KeyID == who.KeyID && s.Signatures[table.Role] != "" })
			if signed {
				out[i].Signed = append(out[i].Signed, who)
			} else {
				out[i].Waiting = append(out[i].Waiting, who)
			}
		}
	}
	return out
}

// Complete tells whether enough people have signed every role.
func (t Tables) Complete(said []event.Said) bool {
	return !slices.ContainsFunc(t.Progress(said), func(p Progress) bool { return !p.Met() })
}

// Hopeless tells whether so many have rejected, and not signed since, that the
// others are too few.
func (t Tables) Hopeless(said []event.Said) bool {
	return slices.ContainsFunc(t, func(table Table) bool {
		left := 0
		for _, who := range table.People {
			rejects := func(s event.Said) bool { return s.KeyID == who.KeyID && s.Rejection != nil && s.Statement == nil }
			if !slices.ContainsFunc(said, rejects) {
				left++
			}
		}
		return left < table.Threshold
	})
}
