package partitions

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// NumberOf asks the kernel for the device behind a path.
func NumberOf(path string) (Number, error) {
	var info unix.Stat_t
	if err := unix.Stat(path, &info); err != nil {
		return Number{}, fmt.Errorf("%s: %w", path, err)
	}
	if info.Mode&unix.S_IFMT != unix.S_IFBLK {
		return Number{}, nil
	}
	device := wide(info.Rdev)
	return Number{unix.Major(device), unix.Minor(device)}, nil
}

// wide takes what is 32 or 64 bits wide, by processor.
func wide[T uint32 | uint64](n T) uint64 { return uint64(n) }
