// Package build turns what engineers have, a raw image file, into what handsets
// fetch: an index and a pack, each named by its content (formats of package
// manifests/image).
//
// Parties. One engineer builds; every co-signer runs Verify on an image of his
// own and so signs only what he could have built himself. The same image gives
// the same files on any machine and with any number of cores, as long as the
// signer program is the same version.
//
// Promises. The image streams through: memory stays below 256 MiB, whatever its
// size. A blob stands under its name only whole and synced.
//
// Failure. An image that changes while it is read, a full disk, a cancelled
// context: an error that says so, and no file left behind. Running it again
// starts over.
package build
