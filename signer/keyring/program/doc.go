// Package program signs with keys that only some other program can reach: the
// signer-command protocol.
//
// Parties. The program is the key holder's own, named when the key is added,
// and runs with his rights. It is trusted with what it is asked to sign and to
// keep the key, and for nothing else: whoever uses this package verifies each
// signature. It is told nothing secret, and sees none of the environment but
// what Environment lists.
//
// The protocol. The program is started once for each question, without a shell.
// It reads one line of JSON from standard input, which then ends, and writes
// one JSON object to standard output, at most MaxAnswer bytes; white space
// around it is allowed. Binary fields are standard base64. Standard error goes
// to the person. It may ask the person on the terminal (/dev/tty).
//
//	{"do":"public","version":1}
//	    {"public":"…"}            SubjectPublicKeyInfo (DER): Ed25519 or P-256
//	{"do":"sign","keyid":"…","payload":"…","public":"…","sha256":"…","version":1}
//	    {"signature":"…"}         Ed25519: 64 bytes over payload; P-256: ASN.1 over sha256
//
// Either may be answered with {"error":"…","code":"…"} instead: error is shown
// to the person, and code is "declined", "no-key", "unreachable" or "kind", or
// left out. Unknown fields in an answer are refused, so that a later version
// may give them a meaning. Fields of a question come in the order of their
// names, and a program must ignore those that it does not know.
//
// Failure. A program that cannot be started is keyring.ErrUnreachable. One that
// ends with another status than 0 and no answer, answers too long, or with
// something else, has failed, and the error says which. The caller's context
// bounds the time: at its end the program gets SIGTERM, and is killed a moment
// later.
package program
