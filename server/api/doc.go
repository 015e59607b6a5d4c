// Package api is the HTTP front of the service: it decodes, asks the packages
// that know, and encodes. gin lives here alone.
//
// Planes. The static plane (/metadata, /targets, /blobs) is plain net/http
// beside gin: metadata and documents from memory, without lock, log or
// database; blobs from disk by sendfile, or by redirect to a bucket. Nothing on
// it is trusted by handsets. The device plane (four POST routes under /v1)
// carries votes; it logs no address and sets no cookie. The operator plane (the
// rest of /v1) needs a bearer token and is checked against the contract,
// manifests/api. The admin handler (metrics, health) is for a listener on
// loopback.
//
// Failure. Every error under /v1 is an RFC 9457 problem with a code of package
// api; internal text goes to the log and never to the wire. Bodies, headers
// and times are bounded for every route.
package api
