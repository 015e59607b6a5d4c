// Package sim is a fleet on virtual time: up to a million handsets that poll,
// decide, install and vote, and the service that counts their votes and walks
// a release through the stages of its plan. It asks how soon a bad build is
// stopped, how much of the fleet has it by then, and how often a good one is
// stopped for nothing.
//
// Parties. What judges is the product itself: manifests/rollout says whose
// turn it is (Position) and what installs (Decide, CheckRestart), server/rollout
// decides what becomes of the rollout (Next, Decided), manifests/verdict what
// the votes prove, client/agent when a handset polls again. Modelled are only
// the owners (who opts in, who is switched off when), the truth about the build
// (what fails, what goes silent), and those who lie about it.
//
// Left out: downloads take no time; a change of the rollout reaches the next
// poll at once, since the service answers polls from memory; every report
// arrives. None of this makes the engine look quicker by more than minutes.
//
// The same scenario and seed give the same run, bit for bit, on any machine.
// A World is for one goroutine, keeps its memory between runs, and takes 12
// bytes per handset.
package sim
