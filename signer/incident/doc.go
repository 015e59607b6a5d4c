// Package incident leads people through the five bad days: a stolen key of the
// service, a stolen engineer's key, a lost root key, a bad release, a server
// that was owned.
//
// Parties. It reads what is published (ceremony.Situation) and gives a plan:
// the steps in order, each with the commands to copy, who gives them, why, how
// to see that it worked, and what it does not stop; and what to tell the owners
// of handsets. It changes nothing and keeps nothing: which steps are done is
// read off the published tree, so anybody can ask at any time, on any machine.
//
// Promises. Names, thresholds, builds, rollouts and dates in a plan are those
// of the tree that was verified. A step whose effect cannot be seen from outside
// says so instead of guessing. What cannot be repaired is said as well.
//
// Failure. Make refuses a case that it cannot lead through, and names what to
// give. A tree of which only a part can be verified still gives a plan.
package incident
