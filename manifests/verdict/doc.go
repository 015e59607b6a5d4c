// Package verdict says what votes prove about a build: whether to go on, to
// stop, or that nothing is proved yet.
//
// Parties. The service judges by it after every few votes; an auditor judges
// the same numbers again with the signer's program; the simulator asks how
// often it errs. It is pure: no clock, no I/O.
//
// A limit is "the worst failure rate that I accept". Two sequential
// probability ratio tests (Wald's, each open at one end) watch each limit:
//
//   - Halt: the votes are 200 times likelier under twice the limit than under
//     half of it. However often it is looked at, a build at half the limit or
//     better is halted with a probability of at most 1/200.
//   - Pass: the votes are 20 times likelier under rates below the limit (an
//     eighth, a quarter and a half of it, in equal parts) than under the limit.
//     A build at the limit or worse ever passes with a probability of at most
//     1/20, again however often it is looked at.
//
// In between nothing is proved, and no data proves nothing. A fixed threshold
// that is looked at after each vote gives no such bound.
//
// Halting needs at least as many votes as the release signs (five or more);
// by its mathematics it also needs four failures at the very least.
package verdict
