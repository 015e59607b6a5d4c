// Package outbox keeps a handset's reports, on the medium, until the service has
// counted them, and sends them in a way that does not tell whose they are.
//
// Parties. The owner turns reporting on (OptIn) and off (OptOut); with it off
// no request is ever made, except the withdrawal that the owner ordered. The
// agent names the releases that take votes (Prepare, UseSpare) and says what
// happened (Report). The release, signed offline, names the vote keys. The service may
// be curious, and whoever is on the wire may be anybody.
//
// Promises.
//   - Nonce and blind of a token are on the medium before the first request, so a
//     power cut between request and answer costs nothing.
//   - A token is used only if the service proved (DLEQ) that it holds the key that
//     the signed release names.
//   - Asking for tokens and casting votes share no connection, session ticket,
//     cookie or User-Agent (AMENDMENTS H12), nor do two votes share one. Each is
//     sent at a random moment, and two that became due while the handset was
//     offline are set apart again.
//   - Votes move to the spare keys of a release by the engineers' signed word
//     alone (UseSpare), and none that was acknowledged is cast again under them.
//   - A trial leaves only after its attempt was counted, or if no attempt was
//     ever reported (AMENDMENTS H6).
//   - In lab mode (ByName), which the owner orders too, nothing is a vote: no token
//     is asked for, and trials and regressions leave at once, signed with the
//     device key (AMENDMENTS H5). What waited in the other form is destroyed.
//   - The owner can read every vote that was sent, to the letter. No request
//     leaves before the owner's receipt (package receipts) holds it.
//
// Files, replaced durably, in a directory of mode 0700:
//
//	identity.json  consent, device key, credential, withdrawals that wait
//	queue.json     tokens and votes, or reports by name, per release and class
//	sent.json      what was sent, for the owner; no nonce, no key
//
// Failure. What may go away (network, 5xx, busy, a login page of some hotel) is
// tried again, later each time. A refusal that stays (already voted, voting
// closed, …) ends the vote, with its reason kept. A file that cannot be read is
// set aside: with identity.json gone reporting is off, with queue.json gone the
// votes in it are lost; an update never waits for either.
//
// Not for concurrent use, nor for two processes.
package outbox
