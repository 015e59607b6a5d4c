// Package evidence is the form of an evidence bundle: one file that holds all
// that an auditor needs to check a rollout without the service.
//
// Parties. The service writes a bundle out of what it published and recorded;
// the signer's program reads and verifies it, with a root that the auditor got
// from somewhere else. Nothing in a bundle is to be believed for its own sake:
// this package only says what a well-formed one is, and decides no question of
// signatures, hashes or verdicts.
//
// Promises. A bundle has one form: Encode writes it and Parse takes nothing
// else, to the byte, so two readers cannot understand it differently and two
// bundles can be compared by hash. Fields stand in the order of their types,
// there is no white space but the line feed at the end.
//
// Failure. Parse refuses what is too large, unknown, repeated, out of bounds
// or at odds with itself, and names the field.
package evidence
