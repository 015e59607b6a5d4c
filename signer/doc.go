// Candor-signer is the release engineer's program. It keeps signing keys,
// holds the ceremony that starts a system, builds releases out of raw images,
// collects signatures and hands the result to a server. It imports Android's
// images, and makes bundles for handsets without a network. With a token and no
// key at all it drives rollouts, and verifies the evidence of past ones.
//
// Parties. The people who run it hold the offline keys: root and targets, and
// the releases of each product. It talks to a server as a client only; it
// never listens, and no private key leaves the place where it lives: an encrypted
// file, or whatever its holder has chosen.
//
// Files. Everything that is passed from person to person is a proposal (one
// file) or a public key. README.md is the ceremony as a page for people.
//
// Failure. Every refusal names the file, role or field and what to do. Output
// for people goes to standard output, progress and questions to standard
// error. The exit statuses are in package cli.
package main
