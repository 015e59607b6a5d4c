// Command demo runs Candor's main job once, for real, on this machine: it
// makes two OS images, holds the ceremony, signs a release with two engineers,
// publishes it, opens a rollout in stages, and lets real handset programs find
// it, install it, restart into it and report.
//
// The story is the fix of 2014. A messaging service lives in the OS image and
// does what its setting there says (messaging.go). Before the fix it sends the
// contacts' numbers at boot; after it, nothing leaves before the owner opts
// in, and then only sealed, and the receiving side stores none. The demo plays
// that receiving side, counts what arrives, and fails if anything leaks from a
// handset that runs the fix.
package main
