// Package event is the wire format of a proposal: what a few people are to
// sign, what it replaces, and what each of them has said so far. Signer and
// server read the same bytes with it; neither takes the other's word.
//
// Parties. Whoever makes a proposal is not believed. Each signer's program
// checks all of it again from the root that its owner trusts; the server,
// which carries proposals between people, checks what it can before it keeps
// one. A signature here is either a Signature of a role, with the Statement
// that goes with it, or a Rejection. All three are made by the same key.
//
// Promises. Parse takes one spelling of a proposal and nothing beyond the
// limits. The Hash covers everything but what people said. Each Statement
// names the hashes of the parts that its signer saw, so that a file which was
// altered afterwards is refused with a word on what differs. Merge joins any
// two copies in any order, with the same result.
//
// Kinds. What a proposal may do is a Kind, listed in kinds.go with the roles
// that it signs; a kind that is added there is carried by servers without
// another change. What a kind may change is judged by package ceremony of the
// signer and, when it is published, by the server's intake.
//
// The package does no I/O and reads no clock; a time that matters is given.
package event
