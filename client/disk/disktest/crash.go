package disktest

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Outcome says what a power cut does to the changes that were not synced.
type Outcome struct {
	Kind string // see Outcomes
	N    uint64 // the change that is meant, or the seed of chance
}

// String is the form that ParseOutcome reads, such as "only:3".
func (o Outcome) String() string { return o.Kind + ":" + strconv.FormatUint(o.N, 10) }

// ParseOutcome reads what String wrote.
func ParseOutcome(s string) (Outcome, error) {
	kind, number, _ := strings.Cut(s, ":")
	n, err := strconv.ParseUint(number, 10, 64)
	if _, ok := fates[kind]; !ok || err != nil {
		return Outcome{}, fmt.Errorf("outcome %q: use lost:0, kept:0, only:N, but:N, some:SEED or torn:SEED", s)
	}
	return Outcome{kind, n}, nil
}

// Outcomes are all that have a name, for so many changes: all lost, all kept,
// one alone kept, one alone lost. What chance makes of them is beside it:
// "some" keeps or loses each, "torn" may tear each too.
func Outcomes(pending int) []Outcome {
	out := []Outcome{{"lost", 0}}
	if pending > 0 {
		out = append(out, Outcome{"kept", 0})
	}
	for i := range uint64(pending) {
		if pending > 1 {
			out = append(out, Outcome{"only", i})
		}
		if pending > 2 {
			out = append(out, Outcome{"but", i})
		}
	}
	return out
}

type fate int

const (
	lost fate = iota
	kept
	torn
)

// fates give the fate of the change at a place, from the chance of an outcome.
var fates = map[string]func(o Outcome, chance *rand.Rand, at uint64) fate{
	"lost": func(Outcome, *rand.Rand, uint64) fate { return lost },
	"kept": func(Outcome, *rand.Rand, uint64) fate { return kept },
	"only": func(o Outcome, _ *rand.Rand, at uint64) fate { return either(at == o.N) },
	"but":  func(o Outcome, _ *rand.Rand, at uint64) fate { return either(at != o.N) },
	"some": func(_ Outcome, chance *rand.Rand, _ uint64) fate { return fate(chance.IntN(2)) },
	"torn": func(_ Outcome, chance *rand.Rand, _ uint64) fate { return fate(chance.IntN(3)) },
}

func either(keep bool) fate {
	if keep {
		return kept
	}
	return lost
}

func (m *model) pending() int {
	n := len(m.moves)
	for _, i := range m.inodes {
		n += len(i.pending)
	}
	return n
}

// crash gives the disk that a power cut leaves.
func (m *model) crash(o Outcome) *model {
	chance, at := rand.New(rand.NewPCG(o.N, 0)), uint64(0)
	next := func() fate {
		at++
		return fates[o.Kind](o, chance, at-1)
	}
	after := newModel()
	for _, n := range m.inodes {
		c := n.safe.share()
		for i := range n.pending {
			settle(&c, &n.pending[i], next(), chance)
		}
		c.cut()
		after.inodes = append(after.inodes, &inode{now: c, safe: c.share()})
	}
	for name, inode := range m.safe {
		after.live[name] = inode
	}
	for _, v := range m.moves {
		f := next()
		if f == lost {
			continue
		}
		if v.to != "" {
			after.live[v.to] = v.inode
		}
		if v.from != "" && f == kept {
			delete(after.live, v.from)
		}
	}
	for name, inode := range after.live {
		after.safe[name] = inode
	}
	return after
}

// settle applies one change to what is on the medium.
func settle(c *content, ch *change, f fate, chance *rand.Rand) {
	switch {
	case f == kept, f == torn && ch.empties && chance.IntN(2) == 0:
		c.apply(ch, nil)
	case f == torn && !ch.empties:
		tear(c, ch, chance)
	}
}

// tear keeps some blocks of a write: those in front, or any. The size is the old
// one, the new one, or reaches as far as something was kept.
func tear(c *content, ch *change, chance *rand.Rand) {
	block, front := []int{1, 8}[chance.IntN(2)], chance.IntN(2) == 0
	end, reach := chance.IntN(len(ch.sectors)/block+1), c.size
	keep := map[int]bool{}
	for b := 0; b*block < len(ch.sectors); b++ {
		if front && b < end || !front && chance.IntN(2) == 0 {
			keep[b] = true
			reach = max(reach, min(ch.size, int64(ch.first+(b+1)*block)*sectorBytes))
		}
	}
	c.apply(ch, func(i int) bool { return keep[i/block] })
	switch chance.IntN(3) {
	case 0:
		c.size = max(c.size, ch.size)
	case 1:
		c.size = reach
	}
}

// Walk goes through a recorded run.
type Walk struct {
	model *model
	ops   []op
	at    int
}

// Next goes on by one operation; false at the end.
func (w *Walk) Next() bool {
	if w.at == len(w.ops) {
		return false
	}
	w.model.apply(&w.ops[w.at])
	w.at++
	return true
}

// Mark is the last one that was walked through; 0 before the first.
func (w *Walk) Mark() int { return w.model.mark }

// Position is how many operations were walked through.
func (w *Walk) Position() int { return w.at }

// Operation describes the last operation, for people.
func (w *Walk) Operation() string {
	if w.at == 0 {
		return "nothing"
	}
	o := &w.ops[w.at-1]
	return fmt.Sprintf("%s %s", o.kind, o.path)
}

// Pending is how many changes are not on the medium for sure.
func (w *Walk) Pending() int { return w.model.pending() }

// Crash gives the disk that a power cut here leaves. It is one of its own: it
// can be written to, and be recorded in turn.
func (w *Walk) Crash(o Outcome) *Disk { return on(w.model.crash(o), o.N) }
