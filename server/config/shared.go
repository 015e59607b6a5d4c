package config

// Shared tells whether any number of servers may work on this ledger and these
// blobs at once: PostgreSQL and a bucket. With SQLite or a folder there is one,
// which holds the lock of its data directory.
func (f File) Shared() bool { return f.Ledger.Postgres != nil && f.S3 != nil }
