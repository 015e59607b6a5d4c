// Package build turns what engineers have, a raw image file, into what handsets
// fetch: an index and a pack, and from each older image a patch, a table and a
// body, all named by their content (formats of packages manifests/image and
// manifests/patch).
//
// Parties. One engineer builds; every co-signer runs Verify on an image of his
// own, and VerifyPatch where he has the older one too, and so signs only what he
// could have built himself. The same image gives
// the same files on any machine and with any number of cores, as long as the
// signer program is the same version.
//
// Promises. The image streams through: memory stays below 256 MiB, whatever its
// size, and below 512 MiB for a patch between images of 4 GiB. A patch that saves
// little leaves nothing behind. A blob stands under its name only whole and synced.
//
// Failure. An image that changes while it is read, a full disk, a cancelled
// context: an error that says so, and no file left behind. Running it again
// starts over.
package build
