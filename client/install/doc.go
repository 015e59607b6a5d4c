// Package install writes an image into a slot, so that a handset can lose power
// at any moment and go on.
//
// An image is made piece by piece, in image order. A recipe says where each
// piece comes from: the image that runs (a seed), what the target slot still
// holds, what was written already, a packed chunk, or a segment of a patch. The
// plan is the cheapest of three recipes, by bytes to download: a patch of the
// very image that runs, chunks beside seeds, or the full pack. One pipeline
// makes all of them.
//
// What is written is proved before: index and table by the hashes that the
// engineers signed, packed bytes by those before they are decoded, every piece
// by its own hash after. Nothing here trusts the source, which may be anybody's
// mirror, nor a seed: a slot that changed behind our back costs bytes, never
// correctness.
//
// Order. Pieces are written in image order; after each segment the slot is
// synced and only then is the progress saved, so that saved progress never
// claims what is not on the medium. What was written and not saved is found in
// place at the next attempt. At the end Verify reads the whole slot back from
// the medium: what boots is what was signed, whatever the disk did.
//
// Price. A plan that turns out dearer than was said (a damaged seed, a patch
// that does not fit, a server that sends only whole files) is agreed to first,
// or the installation stops with the progress kept. Little is under way at any
// moment: a process that is killed downloads less than 1 MiB twice.
//
// Memory is bounded whatever the image: a ring of some MiB between the stages,
// the index (80 bytes a chunk), and two decoders, which run side by side.
package install
