// Package webhook is the form of what the server tells other programs about
// changes: the body, its signature, and Verify for those who receive it.
//
// Parties. candor-server sends; a receiver of the operator's acts on it. Both
// hold a secret that the operator made. The form is that of Standard Webhooks
// (https://www.standardwebhooks.com): the headers webhook-id,
// webhook-timestamp and webhook-signature, where a signature is "v1," and the
// HMAC-SHA256 of id "." timestamp "." body in base64. While secrets are being
// changed there are two signatures, of the old and of the new one.
//
// Promises. Verify takes nothing that was not signed with the secret, nothing
// older than Tolerance, and nothing twice. Deliveries come at least once and in
// order: the same id may come again when an answer got lost, and is to be
// answered with success and otherwise ignored.
//
// Failure. ErrForged, ErrStale and ErrReplayed; a receiver answers the first
// two with 400, so that the sender tries again, and the third with 204.
package webhook
