// Package diagnosis says in plain words why a piece of published metadata is
// refused: which role, which key and whose, which date, and what to do.
//
// Parties. Two programs ask: the signer for those who make releases (`explain`),
// the handset for its owner (`doctor`). Both get the same kinds of failure, from
// the closed list in kinds.go, and each its own advice.
//
// Promise. Nothing here decides whether something is trusted: that is the walk
// of each program. A diagnosis is made of the same bytes afterwards, and looks
// on where a walk stops at the first thing that does not hold. It reads files
// through a Source that its caller gives, takes the time from its caller, and
// writes nothing.
//
// Failure. Bytes from outside are bounded before they are read, and what cannot
// be understood is a finding like any other.
package diagnosis
