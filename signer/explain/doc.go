// Package explain says what a file of the signer's world is, and in plain words
// what about it holds and what does not: any TUF metadata, releases, rollouts,
// proposals, public keys, bundles, or a whole published tree.
//
// Parties. Whoever was told "refused" by this program, by the server or by a
// handset asks here. Nothing is trusted because of what is said: the verdict
// over a tree is that of ceremony.Verify, and this package adds the reasons,
// which are package diagnosis'.
//
// Promise. It reads, and changes nothing. Files are bounded before they are
// read; what is neither of the kinds that it knows is an error that lists them.
package explain
