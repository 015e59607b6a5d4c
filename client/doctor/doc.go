// Package doctor examines a handset for its owner: the trusted root, what is
// stored of the published metadata and which versions are remembered, clock,
// storage, slots and boot loader, the journal of an update, the programs that
// the integrator named, reports and receipts; and only if asked to, servers and
// mirrors.
//
// Promises. Nothing is changed, no lock is taken, and an agent may run beside
// it: damaged files stay where they are for whoever repairs them. Nothing leaves
// the handset. Online it asks for the static files that any look for news asks
// for, of each address by itself.
//
// Failure. What cannot be read is a finding, never silence.
package doctor
