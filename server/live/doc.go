// Package live tells dashboards which answers of the API have changed, as it
// happens, over server-sent events (the contract's getLive).
//
// Parties. People and machines that may read. Each is told only about products
// that it may see (Reader.May), by what has changed and never by what it has
// become: the answer to that is behind the API's own permissions.
//
// Promises. What is told comes from the audit log, so an event's ID is a number
// that all servers share and that outlives them: a stream that is resumed
// anywhere misses nothing and hears nothing twice, up to Backlog entries, beyond
// which it is told to ask for everything. One reader reads the log for all
// streams, and none does while there is no stream. What is shown of votes is
// told once for each period in which it may change, whether it did or not, so
// that no report can be seen to land.
//
// A stream gets at most one event in Every, with all that has changed since the
// last one; what waits for it is a set of topics, bounded by Topics. Nobody
// waits for a reader: one that takes longer than Patience for a few hundred
// bytes is dropped. Whether the reader may still read is asked at each
// Heartbeat.
//
// Failure. While the ledger cannot be read nothing is told, and what was missed
// is told afterwards. A stream that ends says when to come back.
package live
