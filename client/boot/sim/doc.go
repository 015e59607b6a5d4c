// Package sim is a boot loader and two slots in a directory: for the demo, for
// tests, and for trying the agent on a desk.
//
//	a.system.img b.system.img …  the slots, a file for each image
//	boot.json                    the environment: what the loader knows
//	a.json b.json                what is installed, by the agent's word
//
// Boot is the loader: an armed slot is tried first, the try is counted before
// it is used, and when no tries are left the good slot boots. The environment
// is replaced as one durable file, so that a power cut leaves the one before or
// the one after.
//
// A slot takes images of any names, as long as none of those that the running
// build has is missing: it would boot a mix.
//
// A factory slot may share its bytes with other handsets (a hard link): the
// link is broken before the first write.
package sim
