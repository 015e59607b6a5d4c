// Package install writes an image into a slot, so that a handset can lose power
// at any moment and go on.
//
// What is written is proved before: the index by the hash that the engineers
// signed, each packed chunk by the index before it is decoded, each plain chunk
// after. Nothing here trusts the source, which may be anybody's mirror; three
// bad chunks from it end the attempt.
//
// Order. Chunks are written in image order; after each segment the slot is
// synced and only then is the progress saved, so that saved progress never
// claims what is not on the medium. At the end Verify reads the whole slot back
// from the medium: what boots is what was signed, whatever the disk did.
//
// Memory is bounded: a few chunks in each stage (download, decode, write), which
// run side by side.
package install
