// Package kms signs with keys in services for keys: AWS KMS, Google Cloud KMS,
// Azure Key Vault, HashiCorp Vault or OpenBao (transit engine).
//
// Parties. The service keeps the key and decides who may use it, by the
// credentials that its own tools leave on this machine (their environment
// variables and files); this package handles none. It is trusted to keep the
// key, and for nothing else: whoever uses this package verifies each signature,
// and a key that was rotated or an alias that was moved is another key.
//
// Which key. A URL of sigstore's providers:
//
//	awskms://[HOST]/KEY-ID, …/alias/NAME or …/ARN     P-256
//	gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/V     P-256
//	azurekms://VAULT.vault.azure.net/KEY[/VERSION]    P-256
//	hashivault://KEY, openbao://KEY                   P-256 and Ed25519; the service is VAULT_ADDR or BAO_ADDR
//
// The providers link the makers' whole SDKs, so they are behind the build tag
// kms; without it Open is keyring.ErrNotBuilt and says how to build it. With it
// go AWS and Vault through one suite with every other place of keys, against
// local fakes of their protocols; Google and Azure allow no other address and
// are only compiled.
//
// Failure. A service that does not answer is keyring.ErrUnreachable, a key that
// is not there keyring.ErrNoKey, one that may not be used keyring.ErrDeclined;
// whatever else it says is passed on.
package kms
