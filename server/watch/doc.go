// Package watch wakes handsets: a stream of server-sent events for each, over
// which nothing comes but heartbeats and, when a product's rollouts move, a
// number.
//
// Parties. A handset whose owner or integrator turned it on holds a stream
// open; the publisher says which tree is served; a proxy may stand between. A
// stream carries no trust and no identity: who is woken polls like everybody,
// and believes only what is signed. Who wakes handsets for nothing, or never,
// changes when they look, and nothing else.
//
// Promises. A wake-up is written to every stream as soon as it is known, and
// waits for none: a peer that does not read, has gone, or sends anything, is
// dropped. A stream costs a connection of net and about 150 bytes here: it is
// hijacked from net/http, and a few goroutines write to all of them. Several
// moves in a row may be told as one, the last. A stream that is opened is told
// where its product stands, so that a handset sees what it has missed.
//
// Failure. Streams are counted, in all and for each address (an IPv6 network
// of 64 bits is one), and those beyond are refused: the rest keep what they
// have. Addresses are kept in memory while their streams are open, and never
// said. A peer that vanished without a word holds its place until the kernel
// has not been able to reach it for two heartbeats. Close sends each stream
// away with a time of its own to come back at, so that they do not all come at
// once.
//
// Streams are HTTP/1.1. A stream of HTTP/2 cannot be taken from net/http, and
// would cost thirty times as much.
package watch
