// Package evidence verifies an evidence bundle: whether what a service says
// about a rollout agrees with what was signed, with its own log, and with
// arithmetic.
//
// Parties. The service wrote the bundle and is not believed. The auditor
// brings a root of trust from somewhere else; the engineers' offline keys
// descend from it. What only the service knows is named as not covered.
//
// What is checked: the signed metadata from the root down, as of the moment
// that the timestamp was issued; that the rollout offers the release that the
// engineers sign, and stands in the signed rollouts document as it is claimed;
// that the audit log is one unbroken chain that leads to the claimed state;
// that each verdict follows again from the numbers beside it, by the rules of
// the plan; that enough different people stand behind each stage.
//
// Failure. Verify never ends early: every check is a finding, and one that
// does not hold names the file, the row or the person.
package evidence
