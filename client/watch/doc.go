// Package watch keeps a stream to the server open over which a handset hears
// that there is news, and says when it then polls.
//
// Parties. The owner or the integrator turned it on; without that nothing here
// is called. The server, or whoever poses as it, says
// numbers and nothing else. A wake-up carries no trust: what is polled is
// verified as always, and a server that says nothing, or anything, decides only
// when a handset looks.
//
// Promises. A stream has a transport of its own: no connection, TLS session,
// cookie or User-Agent is shared with polls or reports. It sends the name of
// the product, and nothing about the handset. What comes is bounded before it
// is looked at: lines, events, and bytes over time. However often it is woken,
// a handset polls for it at most WakesAnHour times an hour, and not within
// LeastGap of the poll before. After a wake-up it waits a random part of the
// signed spread, so that a fleet does not come at once; for the same reason it
// comes back to a stream that ended after a random time.
//
// Failure. A stream that cannot be opened, or ends, is opened again later, with
// a bound that doubles up to an hour. Meanwhile ordinary polls go on. What was
// missed is heard when the stream begins again.
package watch
