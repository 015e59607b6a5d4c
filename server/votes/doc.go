// Package votes is the service's half of the reports: it enrols handsets whose
// owners opted in, issues each one token per release and class, counts each
// token once, and forgets everything but the counts when a release closes.
//
// Parties. The factory signs credentials under one CA per batch
// (credential.go). A handset proves its credential and its device key when it
// asks for a token, and nothing at all when it votes. The operator reads
// counts; package vote and AMENDMENTS C2, C3, H6, H12 and M8 say why that is all.
//
// What is stored of a handset: device key, batch and day, until it withdraws;
// per release, a tag that only the release's secret k_r could tie to its
// credential, with the hash of one blinded element, until the release closes.
// What is stored of a vote: a nullifier and a part of its MAC, until the
// release closes; and one more in a cell. Of attempts also how many came in
// each hour, so that silence can be told from haste.
//
// Promises. A vote is counted once, also across re-enrolment; an answer is
// given only for what is durable; asking twice gets the same answer. The MAC
// is checked before anything is looked up under the nonce, in constant time.
// No MAC, nonce, key or address is ever logged: this package does not log.
//
// Failure. Refusals are *Error with a code of package api; everything else
// (ledger, context) is an internal error, after which the caller repeats.
package votes
