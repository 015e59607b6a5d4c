// Package token signs with keys in PKCS#11 tokens: smart cards, YubiKeys, HSMs,
// SoftHSM.
//
// Parties. The token keeps the key and counts wrong PINs. Its module, a library
// of its maker, runs inside this process and is trusted like the program
// itself; it is loaded only from the absolute path that the key's URI names.
// Whoever uses this package verifies each signature.
//
// Which key. A URI of RFC 7512 names module, token and key. Token and key must
// be the only ones that fit before anything is asked, since a PIN sent to the
// wrong token counts as a wrong try there. `key add` completes the URI by the
// token's serial number and the key's id.
//
// PINs are asked for once and never tried again by this program, because tokens
// lock themselves after a few. A token that says that its PIN was wrong lately
// takes it from a person on a terminal only, not from a file that would be as
// wrong the next time.
//
// Mechanisms: CKM_EDDSA over the bytes, and CKM_ECDSA over their SHA-256.
//
// The module needs cgo, so all but the reading of URIs is behind the build tag
// pkcs11; without it Open is keyring.ErrNotBuilt and says how to build it. It
// uses github.com/miekg/pkcs11, the plain binding of the standard, rather than
// crypto11, which has no Ed25519, holds a pool of sessions and logs in again by
// itself.
//
// Failure. No module or no such token is keyring.ErrUnreachable, no such key
// keyring.ErrNoKey, a choice of several keyring.ErrAmbiguous, a PIN that was
// refused keyring.ErrPIN. A token that is pulled out while it signs is
// keyring.ErrUnreachable; the next command finds it again.
package token
