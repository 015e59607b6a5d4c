// Package manifests is the vocabulary that Candor's programs share: what a
// product, a build, a share and a release are, byte for byte, and which of
// them are refused.
//
// Three documents are signed. A Release is signed offline, by a threshold of
// engineers, and says what may be installed, by whom it may be, how fast it
// may spread and what it does to its owner's privacy. The rollouts document
// (package rollout) is signed by an online key and can only choose among
// signed releases, more slowly than they allow. Votes (package vote) are not
// signed but redeemed.
//
// Documents are authored as YAML and signed as canonical JSON (package
// strict). Parsing checks everything that one document can say about itself;
// rules that need two documents (label widened, build rising) are functions
// that take both.
//
// Nothing here does I/O, reads a clock or opens a connection. Every type that
// a person could confuse with another has a name of its own, so that swapping
// them does not compile.
package manifests
