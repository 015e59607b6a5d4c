// Package storetest is the conformance suite of the stores: Blobs and Ledger
// hold every driver to the contract in package store, and StartS3 gives tests
// a real S3 server. It is imported by tests only.
package storetest
