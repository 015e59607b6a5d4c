package main

import (
	"fmt"

	"github.com/candor-ota/candor/scripts/figure"
	"github.com/candor-ota/candor/scripts/fleet/sim"
)

// honestVotes are those of a first stage of 5,000 handsets of which a fifth
// votes; the token table is given for so many.
const honestVotes = 1000

// tokens says what tokens in the wrong hands can do, by the exact law of the
// tests: how many stop a good build, and how many hide a bad one.
func (p *player) tokens() []figure.Row {
	p.say("what tokens can do")
	limit := p.plan.Guard.FailureLimit()
	var rows []figure.Row
	for failures := int64(4); failures <= 10; failures++ {
		if n, ok := sim.Stops(failures, limit); ok {
			rows = append(rows, figure.Of(fmt.Sprintf("tokens: %d failures halt if they are among the first", failures), float64(n), "votes"))
		}
	}
	for _, part := range []float64{0.005, 0.01, 0.02, 0.05} {
		rows = append(rows, figure.Of(fmt.Sprintf("tokens: good build halted within %d votes if %s of them lie against it", honestVotes, percent(part)),
			100*sim.Stopped(sim.DefaultNoise, part, limit, honestVotes), "%"))
	}
	for _, failing := range []float64{0.03, 0.05, 0.10, 0.20} {
		for _, chance := range []float64{0.5, 0.05} {
			rows = append(rows, figure.Of(fmt.Sprintf("tokens: healthy lies beside %d honest votes that leave %s to halt a build that fails %s", honestVotes, percent(chance), percent(failing)),
				float64(sim.Hides(failing, limit, honestVotes, chance)), "votes"))
		}
	}
	return rows
}
