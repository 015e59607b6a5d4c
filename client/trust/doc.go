// Package trust is the handset's view of the published tree: it fetches TUF
// metadata, verifies it and hands out what is proved, nothing else.
//
// Parties. The root, targets and releases-PRODUCT roles are signed offline; a
// thief of every online key, of the server and of the network can therefore
// delay a handset, but not make it take a release that the engineers did not
// sign. rollouts, snapshot and timestamp are online: what they say is read,
// and only narrows.
//
// The order of a walk is fixed (AMENDMENTS H3, H4): roots first; then floors
// that a removed key had raised are dropped, before anything is judged by
// them; then timestamp, snapshot, targets, the rollouts role and the product's
// releases role, all from one snapshot; then the documents. The time that the
// timestamp states counts only when the whole walk has held, and every expiry
// is judged again by it.
//
// Verification is go-tuf's. The walk around it is ours, because the library's
// own writes metadata without syncing it, trusts what it finds on disk to
// parse, and cannot be cancelled; the library is called under recover, since
// some validly signed files make it panic.
//
// Failure. A damaged file in the store is set aside and fetched again; the
// root is never set aside. A refusal names the role, the reason and what to
// do, and leaves the store as it was: the next poll starts from there.
package trust
