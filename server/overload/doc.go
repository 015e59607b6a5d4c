// Package overload decides who waits and who is sent away when there is more
// to do than the server can, so that what is drowning drowns alone.
//
// Parties. Handsets poll, download, report and watch; people and machines
// operate. Any of them may be many, slow, broken or hostile, and an address may
// be one machine or, behind a carrier's translator, a hundred thousand.
//
// Promises. Each kind of work has a Lane of its own: so many at once, so many
// waiting for a short while, and the rest are told when to come back, each at a
// time of its own. The poll path has no lane, takes no lock of this package,
// and so waits for none of them. A Listener has room for a new connection as
// long as any is idle, asks for nothing, or is served for long: the one that
// has been so for the longest makes room. An address that has its share makes
// room among its own, so that nobody behind a shared address is shut out by a
// count. Memory is bounded by these numbers.
//
// Failure. Whoever is sent away has lost nothing: what was not acknowledged is
// sent again. Nothing here is stored, and no address is logged.
package overload
