// Command candor-server publishes signed releases, opens them to handsets in
// stages, and counts what handsets whose owners opted in report.
//
// It holds the online keys only: it can choose among what the engineers signed
// and slow it down, never make a release or go faster than the signed pace. It
// never learns who its handsets are. README.md beside this file is for the
// people who run it; ../manifests/api/openapi.yaml is the contract of its HTTP.
//
// Commands: init makes a data directory, run serves it, token, batch and
// vote-keys are for its operator. Results go to standard output (as JSON with
// --json), the log to standard error. Exit code 1 is a failure, 2 a wrong
// command line.
package main
