// Package carry takes an installation elsewhere: to other stores (Move), into
// one file and out of it (Backup, Restore), and its published tree to a folder
// that any web server can serve (Mirror).
//
// Promises. A move and a mirror can be killed at any point and run again; what
// they report was read back and compared, row by row and byte by byte. Nothing
// writes to the source. A target that holds something else is refused and left
// as it is. A restore never brings back what was withdrawn: who is enrolled,
// which token was drawn, which nullifier was spent and who is signed in are in
// no backup (tables.go says of each table why).
//
// Parties. The file of a backup comes from outside: its limits are checked
// before anything is allocated, its hash before anything is written. It holds
// counts, approvals, the audit log and hashes of API tokens, no key.
//
// Failure. Whatever goes wrong leaves the target unusable rather than half
// right: a ledger that is being filled says so and is not served, a restored
// ledger is written in one transaction after the files it names, and a mirror
// shows its new timestamp only when all that it names is there.
package carry
