// Package hooks tells other programs what happened: signed webhooks, in the
// form of package webhook, one for each entry of the audit log that a hook asks
// for.
//
// Parties. The operator names receivers in config.yaml and shares a secret
// with each; what stands there is trusted, so a receiver may be on this machine
// or in a private network. A receiver is not trusted with anything else: it is
// given deadlines, its answers are read up to a bound, and it cannot redirect.
//
// Promises. The audit log is the outbox. A change and its entry are one
// transaction, so nothing that happened goes untold, and nothing that did not
// happen is told. Each hook has a position in the log, written after each
// delivery: a crash repeats at most the one delivery that was under way, with
// the same id. Order is kept: an entry is told once all before it were told or
// given up. One replica at a time serves a hook (a lease, whose fence guards
// the position). Changes never wait for a receiver.
//
// Failure. Whatever is not a success (2xx) is tried again, after a random time
// up to 1 s, 2 s, 4 s … 10 min, not before a Retry-After. When an entry has
// been due and its receiver failing for three days, it is given up: an entry
// hook.gave-up says so, and the next one's turn comes.
package hooks
