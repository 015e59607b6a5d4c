//go:build !linux

package main

// harden does nothing here: what keeps a process's memory to itself differs
// from system to system, and only Linux's ways are tested.
func harden() error { return nil }
