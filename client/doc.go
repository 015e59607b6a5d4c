// Command candor-client is the handset agent: it polls for updates, decides
// for itself whether to install, installs into the spare slot, proves that the
// new build boots, and, only if its owner opted in, reports the outcome.
//
//	run       the agent, for ever
//	once      one poll and everything that follows from it
//	status    why nothing happens, or what does
//	install   from a bundle, without a network: the owner's own act
//	watch     the same, as it happens
//	receipts  everything that updates did here, what was asked, what was sent
//	consent   whether outcomes are reported (off until turned on)
//	accept, decline, later, now, retry    the owner's word on an update
//	create    sets a handset up, as the factory does
//	tuf       a plain TUF client over any repository
//
// It listens on no network; the agent that runs answers its owner on a socket in
// the file system. It links no web framework, no S3 client and no database.
package main
