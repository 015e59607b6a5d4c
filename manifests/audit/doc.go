// Package audit is the form in which the audit log leaves the server: entries,
// one a line, each chained to the one before by its hash.
//
// Parties. The server's ledger appends entries and exports them; auditors, and
// the signer's evidence bundles, read and verify exports without the server.
//
// Promises. Whoever changes, removes, swaps or slips in an entry breaks the
// chain from there on, and Chain names the first entry that does not fit. Two
// things no chain can show by itself: that its end was cut off, and that all of
// it was written anew. Both show against a Head that was noted elsewhere
// earlier, in hex or in words.
//
// Failure. A line that is not an entry is refused; a broken chain is a *Broken.
package audit
