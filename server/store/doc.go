// Package store says what the server keeps and what it may rely on: two
// interfaces, the records that pass through them, and the errors on which
// callers branch. Drivers live below it; storetest holds the suite that each
// of them passes.
//
//   - Blobs (disk, s3) holds what is published: images, metadata, the head. It
//     is trusted with nothing; whoever reads verifies.
//   - Ledger (sqlite, postgres) holds counts, approvals, leases and the audit log. It is
//     trusted for those, never for what a handset installs.
//
// Promises. A call that returned nil is durable: it survives kill -9 and a
// power cut. A state and the audit entry about it are written in one
// transaction, so are a vote's nullifier and its count. All methods are safe
// for concurrent use.
//
// Failure. ErrNotFound, ErrExists, ErrConflict, ErrStale, ErrBusy, ErrFull,
// ErrClosed and ErrRetired are answers, and nothing was written. After any other error, a
// cancelled context included, the write may or may not have happened: read
// again, or repeat the call, for every call is made to be repeated.
package store
