package device

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/strict"
)

// File is a device whose state stands in a file. A file that is absent means a
// full battery, a free network and the clock of this machine; a damaged one is
// an error, for it may have said otherwise.
type File struct {
	Path       string // "" is as absent
	MinBattery int    // percent, as Conditions hands it on
	State      string // directory of the agent's own files, whose free room counts
}

// maxFileBytes bounds the file.
const maxFileBytes = 4 << 10

type state struct {
	BatteryPercent *int  `json:"batteryPercent,omitempty"`
	Charging       bool  `json:"charging,omitempty"`
	Metered        bool  `json:"metered,omitempty"`
	NoClock        bool  `json:"noClock,omitempty"`
	ClockOffset    int64 `json:"clockOffsetSeconds,omitempty"`
}

func (f *File) read() (s state, err error) {
	if f.Path == "" {
		return s, nil
	}
	data, err := disk.ReadFile(disk.OS{}, f.Path, maxFileBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = strict.Decode(data, maxFileBytes, &s)
	}
	if err == nil && s.BatteryPercent != nil && (*s.BatteryPercent < 0 || *s.BatteryPercent > 100) {
		err = fmt.Errorf(`field "batteryPercent": %d is not from 0 to 100`, *s.BatteryPercent)
	}
	if err != nil {
		return state{}, fmt.Errorf("device file %s: %w", f.Path, err)
	}
	return s, nil
}

// Now gives the machine's time, moved by clockOffsetSeconds.
func (f *File) Now() (time.Time, bool) {
	s, err := f.read()
	if err != nil || s.NoClock {
		return time.Time{}, false
	}
	return time.Now().Add(time.Duration(s.ClockOffset) * time.Second), true
}

// Uptime is the machine's, sleep included.
func (f *File) Uptime() (time.Duration, error) { return uptime() }

// Conditions gives what the file says, and the room that is free.
func (f *File) Conditions() (rollout.Conditions, error) {
	s, err := f.read()
	if err != nil {
		return rollout.Conditions{}, err
	}
	battery := 100
	if s.BatteryPercent != nil {
		battery = *s.BatteryPercent
	}
	free, err := room(f.State)
	if err != nil {
		return rollout.Conditions{}, err
	}
	return rollout.Conditions{
		BatteryPercent: battery, Charging: s.Charging, MinBattery: f.MinBattery, Metered: s.Metered,
		FreeBytes: free, LocalMinute: minute(time.Now().Add(time.Duration(s.ClockOffset) * time.Second)),
	}, nil
}
