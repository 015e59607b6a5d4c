// Package ceremony makes, checks and signs the offline half of Candor's trust:
// root, targets and one releases-<product> role per product.
//
// Parties. Root holders sign root and targets; the engineers of a product sign
// its releases. Nobody signs alone: each role has a threshold of at least two,
// counted over named people (x-holders), and no engineer's key is a root
// holder's key. The service's keys (rollouts, snapshot, timestamp) are taken in
// as public keys and never seen otherwise.
//
// A Proposal is one file that holds what shall be signed, what it replaces and
// the signatures so far. It is passed from person to person. Each signer's
// program checks the whole file again, from the root that this person trusts,
// and shows in words what changes: a proposal is never believed because of who
// sent it. With each signature goes a Statement, signed with the same key, of
// how the signer looked at the images.
//
// A State is the published metadata that a proposal builds on, read from a
// directory, a server or a finished proposal, and verified from the root.
//
// Failure. Whatever is malformed, unsigned, of the wrong role, of the wrong
// version or beyond the limits is refused with the role, file or field in the
// message. Nothing here writes a file or listens on the network.
package ceremony
