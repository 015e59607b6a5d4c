// Package rollouts is the operators' part of candor-signer: the commands that
// plan, preview, propose, approve, start, watch and stop rollouts, and that make
// and check the evidence of past ones.
//
// Parties. An operator with a token of the server, and no key. Package operate
// asks and changes; the server decides what a token may do.
//
// Promises. A plan is checked here before anything is sent. Shares are read and
// shown in percent, exactly. Texts of the server are cleaned before they reach a
// terminal. A watch ends when nothing more happens by itself, and its exit status
// says how.
//
// Failure. A refusal that will pass, by itself or by somebody else's word, has an
// exit status of its own, and so has a halt. The Frame belongs to the program.
package rollouts
