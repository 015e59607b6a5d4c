// Package disktest is a disk in memory that fails as disks do: the power is cut
// between, and inside, any two operations; it is full; it cannot be read or
// written; its content changes by itself.
//
// The promise of the disk is that of package disk and no more. It has two
// halves: what programs see, and what is on the medium. Between them are the
// changes that no Sync and no SyncDir has covered yet. A power cut decides the
// fate of each: it is there, missing, or torn. A write is torn at sectors of 512
// bytes or blocks of 4 KiB, from the front or at random, and the size of a file
// that grew may or may not have. A rename that is torn leaves both names. Changes
// may be kept in any order.
//
// Two ways to cut. CutAfter cuts the power of a running program, and Restart
// gives back what survived, by chance from a seed. Or the disk records a run
// (Record) and a Walk goes through it afterwards, one operation at a time: each
// step has all the disks that a cut there could have left (Crash), and a disk
// costs microseconds, as content is shared until it is written to.
//
// Every choice comes from a seed: what failed once fails again.
package disktest
