package world_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// trial is one attack. When it succeeds, its goal is reached as far as the
// reach of that number says.
type trial struct {
	name  string
	reach int
	run   func(*attempt) bool
}

// goal is what a thief wants, and how far he may get, each reach by itself.
type goal struct {
	name    string
	reaches []string
	setup   func(*attempt)
	trials  []trial
}

// reached is a set of reaches of one goal, a bit each.
type reached uint16

// outcomes says what each of the 128 thefts reaches.
type outcomes [everything + 1]reached

// trace is what came of a trial, and on which answers of has it rested. Under
// any other theft that gives the same answers it would go the same way.
type trace struct {
	asked, yes power
	success    bool
}

// outcomes tries all thefts, parts before wholes. A thief need not use what he
// has: what a part reaches the whole does too, and is not tried again.
func (g *goal) outcomes(t testing.TB, net *streets) outcomes {
	t.Helper()
	var out outcomes
	known := make([][]trace, len(g.trials))
	for theft := range everything + 1 {
		for _, p := range powers {
			out[theft] |= out[theft&^p.power]
		}
		for i, tr := range g.trials {
			if out[theft]&(1<<tr.reach) == 0 && g.try(t, net, i, theft, &known[i]) {
				out[theft] |= 1 << tr.reach
			}
		}
	}
	return out
}

func (g *goal) try(t testing.TB, net *streets, i int, theft power, known *[]trace) bool {
	t.Helper()
	for _, k := range *known {
		if theft&k.asked == k.yes {
			return k.success
		}
	}
	var seen trace
	a := &attempt{
		maker: newMaker(t), net: net, name: fmt.Sprintf("%s-%d-%d", g.name, i, theft), now: dawn,
		has: func(p power) bool {
			seen.asked, seen.yes = seen.asked|p, seen.yes|p&theft
			return theft&p != 0
		},
	}
	a.votes = newVoteService(a)
	g.setup(a)
	seen.success = g.trials[i].run(a) || a.broken
	for _, gone := range a.gone {
		gone()
	}
	*known = append(*known, seen)
	return seen.success
}

// least gives the thefts that reach something of which no part does.
func (o *outcomes) least(reach int) []power {
	var out []power
	for theft := range everything + 1 {
		least := o[theft]&(1<<reach) != 0
		for _, p := range powers {
			least = least && (theft&p.power == 0 || o[theft&^p.power]&(1<<reach) == 0)
		}
		if least {
			out = append(out, theft)
		}
	}
	return out
}

// table is what people read: for each reach, the least that must be stolen.
func table(all []outcomes) string {
	var b strings.Builder
	b.WriteString("| a thief wants | how far | the least that he must steal |\n|---|---|---|\n")
	for i, g := range goals {
		for reach, words := range g.reaches {
			name := ""
			if reach == 0 {
				name = "**" + g.name + "**"
			}
			var least []string
			for _, theft := range all[i].least(reach) {
				least = append(least, strings.ReplaceAll(theft.String(), "+", " + "))
			}
			if least == nil {
				least = []string{"all seven do not suffice"}
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", name, words, strings.Join(least, "; or<br>"))
		}
	}
	return b.String()
}

// golden is the whole result, a line for each theft, with the numbers of the
// reaches of each goal, counted from 1.
func golden(all []outcomes) string {
	var b strings.Builder
	for theft := range everything + 1 {
		for i, g := range goals {
			digits := ""
			for reach := range g.reaches {
				if all[i][theft]&(1<<reach) != 0 {
					digits += strconv.Itoa(reach + 1)
				}
			}
			if digits == "" {
				digits = "-"
			}
			fmt.Fprintf(&b, "%s:%-7s", g.name, digits)
		}
		fmt.Fprintf(&b, "%s\n", theft)
	}
	return b.String()
}

// parseGolden reads what golden wrote.
func parseGolden(text string) ([]outcomes, error) {
	all := make([]outcomes, len(goals))
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) != int(everything)+1 {
		return nil, fmt.Errorf("%d lines for %d thefts", len(lines), everything+1)
	}
	for theft, line := range lines {
		fields := strings.Fields(line)
		if len(fields) != len(goals)+1 || fields[len(goals)] != power(theft).String() {
			return nil, fmt.Errorf("line %d is not about the theft of %s", theft+1, power(theft))
		}
		for i, g := range goals {
			digits, ok := strings.CutPrefix(fields[i], g.name+":")
			if !ok {
				return nil, fmt.Errorf("line %d: %q is not about %s", theft+1, fields[i], g.name)
			}
			for _, d := range strings.Trim(digits, "-") {
				all[i][theft] |= 1 << (d - '1')
			}
		}
	}
	return all, nil
}
