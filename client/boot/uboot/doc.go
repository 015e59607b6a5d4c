// Package uboot keeps the boot loader's side of an update in the environment of
// U-Boot, which the agent changes with fw_setenv and U-Boot's script boot.cmd
// reads and counts down.
//
//	BOOT_ORDER=b a   the slots, the one to be tried first in front
//	BOOT_a_GOOD=1    that slot proved itself: booted without counting
//	BOOT_b_LEFT=3    tries left of that slot, one hexadecimal digit, as U-Boot's
//	                 setexpr counts; absent or 0: not tried
//
// A slot with neither is unbootable. The prefix BOOT_ can be another one.
//
// Durability. Each verb is one run of fw_setenv, which sets all variables in one
// write of one copy of the environment. It needs an environment of two copies,
// each with its checksum (CONFIG_SYS_REDUNDAND_ENVIRONMENT; two lines in
// fw_env.config): fw_setenv and saveenv write the copy that is not in use, and a
// write that a power cut tears leaves the other. What was set is read back
// before a verb returns. With one copy alone the driver refuses to work.
//
// Safety. Refusals rest on the environment and on the kernel's command line, to
// which boot.cmd adds which slot it chose. An environment that does not parse,
// or that names other slots, is an error and never an assumption.
package uboot
