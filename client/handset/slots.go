package handset

import (
	"errors"
	"fmt"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/client/boot"
)

// Slot is what boot loader and store say of one slot.
type Slot struct {
	Name     boot.Slot
	Booted   bool
	State    boot.State
	Metadata boot.Metadata // zero: nothing is known of it
}

// Slots asks the boot loader that a configuration names. It reads, and takes no
// lock. The error names what cannot be read; the rest is given all the same.
func Slots(c *agent.Config) ([]Slot, error) {
	l, err := openLoader(c)
	if err != nil {
		return nil, err
	}
	names, err := l.Slots()
	if err != nil {
		return nil, err
	}
	booted, err := l.Booted()
	errs := []error{err}
	var out []Slot
	for _, name := range names {
		s := Slot{Name: name, Booted: err == nil && name == booted}
		var stateErr, aboutErr error
		s.State, stateErr = l.State(name)
		s.Metadata, aboutErr = l.Metadata(name)
		for _, err := range []error{stateErr, aboutErr} {
			if err != nil {
				errs = append(errs, fmt.Errorf("slot %s: %w", name, err))
			}
		}
		out = append(out, s)
	}
	return out, errors.Join(errs...)
}

// Device is the hardware of the handset that a configuration names, or the file
// that stands in for it.
func Device(c *agent.Config) agent.Device { return openDevice(c) }
