// Package sshagent signs with keys that an ssh-agent holds.
//
// Parties. The agent is whatever answers on the socket that SSH_AUTH_SOCK
// names: OpenSSH's own, gpg-agent, a desktop's keyring, or one forwarded from
// another machine. It is trusted to keep the key and to ask its person, and for
// nothing else: the key is found by its fingerprint, and whoever uses this
// package verifies each signature. Anybody who reaches the socket can have
// anything signed, which is why `ssh-add -c` and a key of its own are advised.
//
// Keys are plain ssh-ed25519 and ecdsa-sha2-nistp256. RSA, other curves and
// certificates are refused. So are security keys (sk-…), because they do not
// sign the bytes that they are given but something of their own around a hash.
//
// Failure. No agent is keyring.ErrUnreachable; an agent that is empty, locked
// or without the key is keyring.ErrNoKey; one that has it and will not sign is
// keyring.ErrDeclined. The error says what to type.
package sshagent
