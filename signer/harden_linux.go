package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// harden keeps passphrases and keys, which are in memory while a command runs,
// out of core dumps and away from other processes of the same user: no dump is
// written, and nobody but root reads the memory or the environment under /proc.
// What a program of the signer-command protocol or a module does is its own.
func harden() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("switch off core dumps: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("hide memory from other processes: %w", err)
	}
	return nil
}
