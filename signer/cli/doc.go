// Package cli is what all commands of candor-signer share: what wrong use of
// them is, the exit statuses that pipelines branch on, how the service is
// reached, and how foreign text is put on a terminal.
//
// Parties. Commands use it; the program ends with what StatusOf says.
//
// Promises. An exit status never changes its meaning. A token is read from a
// file, and never taken as an argument or from the environment. Text that was
// cleaned moves no cursor and turns no reading direction.
//
// Failure. Errors are returned, with what to give instead.
package cli
