// Package powertest cuts the power of a whole handset at every moment of an
// update, in its tests: the real agent with all its states, journal, memory,
// outbox, receipts, installer and simulated boot loader run on a disk in memory
// (client/disk/disktest) that keeps, loses, tears and reorders what was not
// synced.
//
// A story (an update, a build that fails, a halt of an armed handset, …) is told
// once and recorded. Each operation is then a place to cut, each cut has many
// outcomes, and each outcome is a state: a disk, with which the handset is
// switched on and goes on to the end of the story. While it does, it is recorded
// in turn, and cut again.
//
// What must hold in every state: see check_test.go. What is left out: a view of
// what is published stands in for the network and for the walk over signed
// metadata, which client/trust cuts by itself; the clock is set by hand; a poll
// sees no faults but those of the disk.
//
// A failure names its state, and `go test ./client/powertest -state "…"` runs
// that one alone.
package powertest
