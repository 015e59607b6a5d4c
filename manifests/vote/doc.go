// Package vote is the vocabulary of outcome reports ("votes"): what a handset
// may say, how it gets the right to say it once without being known, and the
// bytes that handset and server exchange for it.
//
// Parties. The handset's owner opts in. The factory put a credential in the
// handset, an Ed25519 key under the CA of its batch. The server issues tokens
// and counts. The release, signed offline, names the keys under which its
// votes are counted (manifests.VoteRules), one per class and a spare set.
//
// Content. A vote is a class and a few closed lists (Vote); there is no free
// text, no identifier and no time. Each legal vote is one Cell of its class,
// and the server keeps only how many fell into each cell.
//
// Token. VOPRF over ristretto255 with SHA-512 in verifiable mode (RFC 9497,
// section 3.3.2), so the server learns nothing of the nonce, and proves (DLEQ)
// that it used the key that the release names:
//
//	key        DeriveKeyPair(seed = master, info = frame("candor-vote-key-v1", product, build, class, set))
//	nonce      32 random bytes; saved with the blind before anything is sent
//	t          VOPRF(key, nonce), 64 bytes
//	mac        HMAC-SHA256(t, frame("candor-vote-v1", product, build, class, nonce, vote))[0:16]
//	key id     SHA-256(frame("candor-vote-key-id-v1", public key))
//	nullifier  SHA-256(frame("candor-null-v1", key id, nonce))[0:16]
//
// Signatures are Ed25519 (RFC 8032) over
//
//	enrolment   credential key: frame("candor-enrol-v1", device key)
//	issuing     device key:     frame("candor-issue-device-v1", product, build, class, set, blinded, device key)
//	            credential key: frame("candor-issue-credential-v1", the same fields)
//	withdrawal  device key:     frame("candor-withdraw-v1", device key)
//	lab report  device key:     frame("candor-lab-v1", product, build, class, vote, device key)
//
// frame writes each of its arguments, the label first, as uint16be(length)
// followed by the bytes; a build is uint64be, a vote its canonical JSON, and
// everything else the bytes of the name, key or element. So no two lists of
// arguments give the same bytes.
//
// Failure. A document that is not exactly one of these is refused with a
// *strict.FieldError; elements that are the identity, or not in their one
// canonical encoding, are refused; a proof under any key but the one in the
// release is refused. Losing power between request and answer is harmless:
// Pending gives the same blinded element again, to which the server gives an
// answer of the same value.
//
// The package does no I/O and reads no clock; randomness is passed in.
package vote
