// Package importer turns what Android's build leaves behind into raw
// partitions: sparse images (version 1.0), in one file or in several, and full payloads of update_engine
// (payload.bin, major version 2, or the OTA zip that stores one).
//
// Parties. The person at this machine trusts the file as far as he would trust
// a raw image of the same origin; what he signs is the raw partition, and each
// co-signer computes it again from a copy of his own. So the payload's own
// signature is not verified: no handset ever looks at it.
//
// Promises. A file is read twice: first its tables, which are checked to the
// last byte before anything is created, then its data, streamed. Memory does
// not grow with the image. Every checksum that a file carries is verified: the
// crc32 chunks and header checksum of a sparse image, the hash of each
// operation's data before it is decoded, and the hash of each partition, which
// is read back from the disk. Zeros become holes.
//
// Incremental payloads are refused: they need the image before, and what they
// would give depends on it. Sign the full one; patches are made by the signer.
//
// Failure. A partition has its name only once it is whole, verified and
// synced; on an error none of the call's partitions has it, unless the process
// was killed between two renames.
package importer
