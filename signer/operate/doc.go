// Package operate is the operator's side of the service's API: it asks and
// changes rollouts, and carries the exchange for package submit.
//
// Parties. The caller has a bearer token; the server decides what it may do.
// The token goes over https or to this machine only, never into a message, and
// never to where a redirect points. Nothing that a server says here makes a
// handset install anything.
//
// Promises. A change carries an Idempotency-Key of its own, and is repeated
// under that same key when its answer was lost, so it is made once. What was
// looked at may be named (IfMatch); then nothing is changed that somebody else
// has changed meanwhile.
//
// Failure. A broken connection and an answer of 429 or 5xx are tried again
// with growing pauses, or the pause that the server asks for. A refusal is a
// *Refusal: the server's sentence, its stable code and what to do next.
package operate
