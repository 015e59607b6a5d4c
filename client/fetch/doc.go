// Package fetch gets files of the published tree over HTTP, for a handset that
// believes nothing of what it gets.
//
// Parties. Mirrors, CDNs, proxies and whoever sits on the wire may answer
// anything, for as long as they like. This package bounds what that costs:
// every phase has a deadline, every body a least rate and a greatest size, every
// failure a bounded number of retries. Whether the bytes are the right ones is
// for the caller, who has signed hashes.
//
// Privacy. Requests carry no cookie, no Referer and the same User-Agent on every
// handset; HTTP/1.1 only.
//
// Mirrors. An origin knows what is new; a mirror has a copy of the tree. Origins
// are asked for the timestamp and the next root, at most three mirrors and then
// the origins for everything that a file before it has named with its hash. A
// seed of the handset's own puts mirrors in order, so that handsets spread over
// them while each stays with one. A mirror that is behind, or sends other bytes,
// delays: three failures, or one file that its signed hash refutes, and it is
// left alone until the next poll.
//
// Failure. Sources are tried in order, starting from the one that answered last;
// then again after a random wait, never before the time that a server asked for
// (Retry-After). The errors on which callers branch are in errors.go. A reader
// from Open continues after a cut connection by itself, with a Range request.
package fetch
