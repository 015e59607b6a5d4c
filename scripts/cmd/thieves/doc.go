// Command thieves writes the table of what thieves reach, and proves that it
// would notice a missing check.
//
//	go run ./scripts/cmd/thieves          writes server/README.md's table anew
//	go run ./scripts/cmd/thieves --long   takes each named check of the handset away, in turn
//
// With --long every check is replaced by none in a copy that only the compiler
// sees (go test -overlay); the table must then turn red. A check whose source no
// longer reads as this program expects is a failure too, as is one without
// which everything stays green. It changes no file and takes some minutes.
package main
