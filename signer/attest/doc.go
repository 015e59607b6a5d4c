// Package attest reads and makes what a release says about its own making: a
// provenance statement (in-toto Statement v1, with SLSA provenance) and a list of
// what is inside (SBOM: SPDX or CycloneDX, in JSON).
//
// Promises. A file is taken only if it is what it is said to be: a statement is
// about exactly the images of the release, by their sha256, and an SBOM is of a
// known kind. Statements made here hold no time and no name of a machine: the same
// inputs give the same bytes.
//
// Failure. A refusal says which file, what was expected in it and what to do.
// Nothing here verifies who wrote a statement: the engineers vouch for it by
// signing its hash with the release.
package attest
