// Package lint holds the rules that signed metadata must keep beyond what TUF
// asks: who may sign with how many people, which role answers for which paths,
// how long a signature lives, how releases follow one another.
//
// Parties. The signer holds a proposal against these rules before anybody is
// asked to sign it, `candor-signer lint` reports every finding on a whole tree,
// and the service refuses a submission that breaks one. They read the same
// code, so that nothing passes in one place and fails in the next.
//
// Promises. Pure: no I/O, no clock (the time is an argument), no signature is
// verified and no TUF library is used; callers verify signatures with theirs.
// Every rule reports all that breaks it, with role, field, value and what to
// do. Limits come before parsing, and nothing here panics on any bytes.
//
// Failure. Findings come back in the order of the file. A file that cannot be
// read at all has a finding too, and the rules that need it are passed over.
package lint
