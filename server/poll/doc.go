// Package poll answers what handsets ask for most, on connections that it
// serves itself: a file by its name, from memory.
//
// Parties. Handsets, and the proxies before them, ask; Files answers. net/http
// serves everything else: a connection whose next request is in any way more
// than a plain GET of a file that is there is handed over to it, with every
// byte that was not answered, and stays with it.
//
// Promises. An answer is what net/http would have given with the same Files, as
// a test compares for whatever bytes a fuzzer thinks of: nothing is guessed
// here, a head that is not wholly understood is not answered. A poll takes two
// reads, one write and no lock that another connection takes, and keeps
// nothing; a connection that is idle holds no buffer. Who does not ask is given
// up after the Times, who does not read after Times.Write.
//
// Failure. A connection that breaks, or whose peer is too slow, is closed. A
// panic ends one connection and is logged.
package poll
