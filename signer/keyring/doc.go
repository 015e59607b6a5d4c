// Package keyring keeps what belongs to one person of a ceremony: private
// keys, or where they live, the root that this person trusts, and a note of the
// proposals that were built on this machine.
//
// Parties. A holder is a named person. Each key belongs to one holder, and a
// role counts holders, not keys. Holders exchange Public files only; private
// files never leave the directory of the ring. The private half of a key is in
// an encrypted file, or somewhere else (an agent, a token, a service, a
// program) that a Backend reaches. That place is trusted to keep the key, never
// to tell the truth: a Signer gives no signature that it has not verified with
// the public half that was noted when the key was added.
//
// Files of a ring, one flat directory (mode 0700):
//
//	NAME.key           private key, encrypted with age under a passphrase (scrypt), armored, mode 0600;
//	                   or a locator: strict JSON that says where the key lives, and holds no secret
//	NAME.pub           public part: strict JSON, to be handed to others
//	trusted-root.json  anchor: version and hash of the root that was accepted first
//	built/HASH         one empty file per proposal that this machine has built
//	.key-*             what a run had not finished when it was killed; the next one removes it
//
// Keys are Ed25519 or ECDSA P-256; nothing else is read or made. Key ids are
// those of TUF: the SHA-256 of the canonical JSON of the key object.
//
// Failure. Every write replaces the whole file (temporary file, fsync, rename,
// fsync of the directory), so that a power cut leaves the old file or the new
// one. A key is there with its NAME.key, which comes last. A wrong passphrase, a
// private file that does not belong to its public file and a file of another
// format are refused by name. A lost passphrase is a lost key: nothing here can
// recover it.
package keyring
