// Package bundle is the format of offline updates: one file that holds what a
// handset would have fetched, to be carried on a stick or pushed over a cable.
//
// It is a narrow subset of tar (ustar), so that anybody can list it, and so
// that each blob lies in it as one piece and is read in place: a handset needs
// no room for a second copy. The members are, in this order,
//
//	bundle.json            which release of which product it carries
//	metadata/…             the whole TUF metadata, as in the published tree
//	targets/…              the release document, the rollouts
//	blobs/HASH             index, pack and patches of each image
//
// Members have the names of the published tree and its rules: what a name says
// has been checked by package layout's types, and none ever becomes a path on a
// disk. Each header is computed from name and size alone, and must be that to
// the byte; so the same content gives the same file, and nothing hides in
// owners, times or padding. Padding is zero, and nothing follows the end.
//
// Parties. Whoever carries the stick may have changed all of it, and this
// package trusts none of it: it bounds counts and sizes before anything is
// allocated, and says where the bytes of a name lie. What they are worth is for
// its readers to verify, from the root that they trust.
package bundle
