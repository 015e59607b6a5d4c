package device

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/candor-ota/candor/manifests/rollout"
)

func uptime() (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0, fmt.Errorf("uptime: %w", err)
	}
	return time.Duration(t.Nano()), nil
}

// room is how many bytes may still be written to dir by an ordinary user.
func room(dir string) (int64, error) {
	var space unix.Statfs_t
	if err := unix.Statfs(dir, &space); err != nil {
		return 0, fmt.Errorf("free storage of %s: %w", dir, err)
	}
	return inBytes(space.Bavail, space.Bsize), nil
}

// inBytes takes a block size that is 32 or 64 bits wide, by processor.
func inBytes[T int32 | int64](blocks uint64, size T) int64 { return int64(blocks) * int64(size) }

func minute(t time.Time) rollout.ClockTime { return rollout.ClockTime(t.Hour()*60 + t.Minute()) }
