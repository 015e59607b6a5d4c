// Package submit brings the blobs of a release to a server, by resumable upload.
//
// Parties. The signer is a client with a bearer token; the server verifies
// everything that it is given against the root, so a token alone publishes
// nothing. The token goes over https or to this machine only, never into a
// message, and never to where a redirect points.
//
// Failure. An interrupted upload is resumed from the offset that the server
// has; a broken connection and an answer of 429 or 5xx are tried again with
// growing pauses. Everything is idempotent: run again after any failure. A
// refusal is passed on with the server's own words.
package submit
