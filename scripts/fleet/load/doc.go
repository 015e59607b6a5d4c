// Package load drives a real service with a fleet of light handsets over HTTP,
// to learn how much it bears and whether it loses anything.
//
// Parties. The service is one server or several replicas, given by address. A
// light handset is a position in rollouts, a running build and, if its owner
// opted in, a real outbox (client/outbox) on a disk in memory: enrolment, blind
// tokens with their proofs, votes. Decisions are the product's (rollout.Decide).
// What the fleet decides by is verified for real (client/trust), once for each
// state of the tree, on behalf of all: a handset whose timestamp moved fetches
// every file that such a walk needs and holds it against the verified bytes.
//
// The load is open. Polls arrive by a schedule drawn before (Poisson), whether
// or not the service answers; a latency runs from the moment that was scheduled,
// so a service that stalls is not spared the requests that it kept waiting
// (coordinated omission). Reports follow from what handsets decide, at random
// moments as in life, with all delays shortened by one factor: six hours are a
// quarter of the run. When more polls are under way than the bound, the next
// ones are not sent, and counted as such.
//
// The end. No handset begins anything, what is queued is sent, and the votes
// that were acknowledged are held against what the service counted more than
// before. An answer that was lost on the way leaves a vote that may be counted;
// those are told apart. Nobody else may vote for the same builds meanwhile.
package load
