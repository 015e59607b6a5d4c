// Package events carries signing events: proposals that lie on the server while
// the engineers sign them, wherever they are.
//
// Parties. Engineers open events, bring signatures and rejections, and publish;
// whoever may read sees how far they are. The server is an untrusted courier:
// each signer's program verifies all of it again from the root that its owner
// trusts. The server checks too (limits, form, role tables, every signature,
// what the proposal starts from), so that junk is not kept.
//
// A signed rejection is an engineer's word; a remark is that of a person of the
// server, who has no more than a token, and is kept apart from it. A remark
// that rejects ends an event only if its author opened it, or is an admin:
// otherwise one stolen token could end all of them.
//
// States. open: signatures are missing. complete: it can be published.
// published; rejected: so many rejected that the others are too few, or it was
// taken back; superseded: what it starts from has moved on, so it has to be made
// again; expired. All but the first two are final.
//
// Promises. A word is kept once, whoever brings it how often, and two that
// arrive together are both kept, each checked beside the other. Publishing goes
// through the intake of package release, as every submission does, so nothing
// is checked less; a crash between publishing and saying so heals, since what is
// published says it too.
//
// Failure. Refusals are *Refusal, with a code of the contract, or those of
// package release.
package events
