// Package doctor examines an installation: clock, keys, expiries, stores,
// what is published, disk, descriptors, TLS and proxy. Each finding says what it
// means and what to do.
//
// Parties. The person who runs the server asks, on its machine, while it runs
// or not. What is examined is believed only as far as package publish does: the
// tree is held against the ledger byte by byte.
//
// Promises. Nothing is changed: tables are not brought up to date, locks not
// taken, leases left alone; one file is written and removed in uploads/ to see
// that it can be, and probes in the bucket, as each start of the server writes
// them. A check that cannot be made is a finding too, never silence.
package doctor
