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
// Failure. Mirrors are tried in order, starting from the one that answered last;
// then again after a random wait, never before the time that a server asked for
// (Retry-After). The errors on which callers branch are in errors.go. A reader
// from Open continues after a cut connection by itself, with a Range request.
package fetch
