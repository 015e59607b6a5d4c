// Package config is what a candor-server process is told before it starts: one
// strict YAML file, the layout of the data directory, and the act of making
// one.
//
// Parties. The operator writes config.yaml and passes flags, which win; the
// process reads both once. Secrets are files of their own, never values in
// config.yaml, never in the environment.
//
// Files below the data directory (mode 0700; see server/README.md for what the
// thief of each can do):
//
//	config.yaml        this package's File
//	ledger.db          counts, tokens, rollouts, audit log (SQLite)
//	tree/              published files and blobs, unless they are in S3
//	uploads/           blobs that are still arriving
//	keys/ROLE.pem      the online keys: rollouts, snapshot, timestamp
//	keys/vote-master   from which the vote keys of every release are derived
//	batches/NAME.pem   the CA of a batch of factory credentials
//	online-keys.json   public keys, for `candor-signer init --online`
//	lock               held by the process that serves
//
// Failure. Create makes all of it or nothing. Nothing else here creates
// anything: a missing file is an error that names it. All mistakes in a
// configuration are reported together.
package config
