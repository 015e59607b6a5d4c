// Package publish keeps the published tree: it signs what the online keys may
// sign, and moves the tree from one consistent state to the next.
//
// Parties. Engineers' metadata comes in verified (package release) and is
// published as it is. The three online keys sign rollouts, snapshot and
// timestamp; a thief of them can choose among signed releases and slow things
// down, never make one. Package rollout says what the rollouts documents hold.
//
// How a publish goes. Under a lease: note the submission in the ledger; put
// target files, role metadata and snapshot under names that are never
// replaced, with versions that the ledger reserved under the lease's fence;
// verify the whole with the library that handsets use; commit the new head,
// with the finished timestamp in it, to the ledger; replace timestamp.json by
// compare-and-swap; swap the tree in memory. The ledger's head decides: before
// it nothing happened but unused files and burnt numbers, after it every
// process that starts finishes the job.
//
// Several processes may do that on one ledger and one store. They wait for one
// another (package lease), and follow what another one published (follow.go).
// Neither lease nor clock is trusted: numbers and head carry the lease's fence,
// and timestamp.json is replaced only if it is the one that stood there before
// the ledger's head was read. None shows a head below one that it has shown.
//
// Failure. Any error leaves readers with the state before or after, never a
// mixture, and the next call, Renew or start goes on from there. Files that
// nothing names any more stay until every timestamp that named them has
// expired, and 24 hours more. A submission that was noted is always published
// before anything else.
//
// The store is trusted with nothing. What it holds is compared with what was
// published at each start and every few minutes (patrol.go), and put right from
// memory or from the ledger, or named.
//
// Expiries: rollouts and snapshot 7 days, signed anew after 3 and with each
// submission; timestamp 48 hours, after 6 and with each publish.
package publish
