package agent

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/manifests/rollout"
)

// Device is what the agent learns about its hardware.
type Device interface {
	// Now tells the time, and whether the clock was ever set.
	Now() (now time.Time, set bool)
	// Uptime is how long the device has been on; after a restart it begins anew.
	Uptime() (time.Duration, error)
	// Conditions are measured anew at each call.
	Conditions() (rollout.Conditions, error)
}

// DeviceFile is a Device whose state stands in a file, for simulated handsets
// and benches. A file that is absent means a full battery, a free network and
// the clock of this machine.
type DeviceFile struct {
	Path       string
	MinBattery int
	State      string // directory of the agent's own files, whose free room counts
}

type deviceState struct {
	BatteryPercent *int  `json:"batteryPercent,omitempty"`
	Charging       bool  `json:"charging,omitempty"`
	Metered        bool  `json:"metered,omitempty"`
	NoClock        bool  `json:"noClock,omitempty"`
	ClockOffset    int64 `json:"clockOffsetSeconds,omitempty"`
}

func (d *DeviceFile) read() (deviceState, error) {
	var s deviceState
	if d.Path == "" {
		return s, nil
	}
	if _, err := loadJSON(disk.OS{}, d.Path, 4096, &s); err != nil {
		return s, fmt.Errorf("device file: %w", err)
	}
	return s, nil
}

// Now gives the machine's time, moved by clockOffsetSeconds.
func (d *DeviceFile) Now() (time.Time, bool) {
	s, err := d.read()
	if err != nil || s.NoClock {
		return time.Time{}, false
	}
	return time.Now().Add(time.Duration(s.ClockOffset) * time.Second), true
}

// Uptime is the machine's, sleep included.
func (d *DeviceFile) Uptime() (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0, fmt.Errorf("uptime: %w", err)
	}
	return time.Duration(t.Nano()), nil
}

// Conditions gives what the file says, and the room that is free.
func (d *DeviceFile) Conditions() (rollout.Conditions, error) {
	s, err := d.read()
	if err != nil {
		return rollout.Conditions{}, err
	}
	battery := 100
	if s.BatteryPercent != nil {
		battery = *s.BatteryPercent
	}
	var space unix.Statfs_t
	if err := unix.Statfs(d.State, &space); err != nil {
		return rollout.Conditions{}, fmt.Errorf("free storage of %s: %w", d.State, err)
	}
	now := time.Now().Add(time.Duration(s.ClockOffset) * time.Second)
	return rollout.Conditions{
		BatteryPercent: battery, Charging: s.Charging, MinBattery: d.MinBattery, Metered: s.Metered,
		FreeBytes:   inBytes(space.Bavail, space.Bsize),
		LocalMinute: rollout.ClockTime(now.Hour()*60 + now.Minute()),
	}, nil
}

// inBytes takes a block size that is 32 or 64 bits wide, by processor.
func inBytes[T int32 | int64](blocks uint64, size T) int64 { return int64(blocks) * int64(size) }
