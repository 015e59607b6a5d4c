// Package agent is the handset's side of an update: it polls, decides,
// installs into the spare slot, restarts into it, proves that it works, and
// reports if its owner said so.
//
// It is a machine of states, one file each (state_*.go). The state is
// journalled before its effect, so that a power cut at any moment finds the
// agent where it was or one step before:
//
//	idle → checking → offered → planning → downloading → verifying → staged
//	     → arming → reboot-pending → trying → committing → reporting → idle
//
// with side edges to paused (a condition does not hold, or a hook of the
// integrator says "not now"; the reason is shown),
// failed (this attempt ended; the next poll begins anew) and rolled-back (the
// new slot did not prove itself; the boot loader returned to the old one).
//
// Who decides. The engineers' signed release and the owner decide; the online
// rollout can only choose later or less. Every wait has a code and a sentence
// (Status), because hidden reasons are worse than no updates.
//
// Where the word of the agent ends: which slot boots is the boot loader's, and
// the agent believes the driver's State over its own journal.
package agent
