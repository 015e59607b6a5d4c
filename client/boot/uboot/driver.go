package uboot

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/disk"
)

// Options say where things are. Empty fields have the defaults named there.
type Options struct {
	Slots    []boot.Slot
	Config   string // of fw_setenv and fw_printenv; /etc/fw_env.config
	Prefix   string // of the variables' names; BOOT_
	Argument string // on the kernel's command line; candor.slot
	Kernel   string // file of that command line; boot.KernelCommandLine
	Disk     disk.Disk
	Patience time.Duration // with one run of a tool; 30 s, as slow NOR flash needs some seconds for an erase
}

// Driver satisfies boot.Driver.
type Driver struct{ o Options }

var _ boot.Driver = (*Driver)(nil)

// Open looks whether the environment has two copies and can be read.
func Open(o Options) (*Driver, error) {
	for field, otherwise := range map[*string]string{
		&o.Config: "/etc/fw_env.config", &o.Prefix: "BOOT_", &o.Argument: "candor.slot", &o.Kernel: boot.KernelCommandLine,
	} {
		if *field == "" {
			*field = otherwise
		}
	}
	o.Patience = cmp.Or(o.Patience, patience)
	d := &Driver{o}
	if err := d.redundant(); err != nil {
		return nil, err
	}
	if _, err := d.print(); err != nil {
		return nil, err
	}
	return d, nil
}

// Provision makes a slot the good one and the others unbootable, whatever they
// were: it is for a factory, which knows that the slot is whole.
func (d *Driver) Provision(good boot.Slot) error {
	if !slices.Contains(d.o.Slots, good) {
		return fmt.Errorf("provision slot %q: %w", good, boot.ErrNoSlot)
	}
	e := &env{order: d.o.Slots, slots: map[boot.Slot]slot{good: {good: true}}}
	e.first(good)
	return d.save(e)
}

// Slots gives the configured slots.
func (d *Driver) Slots() ([]boot.Slot, error) { return slices.Clone(d.o.Slots), nil }

// Booted asks the kernel.
func (d *Driver) Booted() (boot.Slot, error) {
	return boot.FromKernel(d.o.Disk, d.o.Kernel, d.o.Argument, d.o.Slots)
}

// State is what the environment says of a slot.
func (d *Driver) State(s boot.Slot) (boot.State, error) {
	e, err := d.load()
	if err != nil {
		return boot.State{}, err
	}
	if !slices.Contains(e.order, s) {
		return boot.State{}, fmt.Errorf("slot %q: %w", s, boot.ErrNoSlot)
	}
	v := e.slots[s]
	return boot.State{Bootable: v.good || v.left > 0, Good: v.good, TriesLeft: v.left, Spent: v.spent}, nil
}

// change applies one verb to the environment, as one durable step.
func (d *Driver) change(verb string, s boot.Slot, apply func(e *env, booted boot.Slot) error) error {
	e, err := d.load()
	if err != nil {
		return err
	}
	booted, err := d.Booted()
	if err != nil {
		return err
	}
	if !slices.Contains(e.order, s) {
		err = boot.ErrNoSlot
	} else {
		err = apply(e, booted)
	}
	if err != nil {
		return fmt.Errorf("%s slot %q: %w", verb, s, err)
	}
	return d.save(e)
}

// MarkUnbootable refuses by the environment's own word.
func (d *Driver) MarkUnbootable(s boot.Slot) error {
	return d.change("mark unbootable", s, func(e *env, booted boot.Slot) error {
		switch {
		case s == booted:
			return boot.ErrBooted
		case !e.slots[booted].good:
			return boot.ErrUnproved
		}
		delete(e.slots, s)
		e.first(booted)
		return nil
	})
}

// Arm puts a slot first.
func (d *Driver) Arm(s boot.Slot, tries int) error {
	return d.change("arm", s, func(e *env, booted boot.Slot) error {
		switch {
		case tries < 1 || tries > boot.MaxTries:
			return boot.ErrTries
		case s == booted:
			return boot.ErrBooted
		case !e.slots[booted].good:
			return boot.ErrUnproved
		}
		e.slots[s] = slot{left: tries}
		e.first(s)
		return nil
	})
}

// Disarm returns to the good slot at the next boot.
func (d *Driver) Disarm(s boot.Slot) error {
	return d.change("disarm", s, func(e *env, _ boot.Slot) error {
		if e.slots[s].good {
			return nil // it proved itself; there is nothing to take back
		}
		for _, other := range e.order {
			if e.slots[other].good {
				delete(e.slots, s)
				e.first(other)
				return nil
			}
		}
		return boot.ErrUnproved
	})
}

// MarkGood keeps the running slot.
func (d *Driver) MarkGood(s boot.Slot) error {
	return d.change("mark good", s, func(e *env, booted boot.Slot) error {
		if s != booted {
			return boot.ErrNotBooted
		}
		e.slots[s] = slot{good: true}
		e.first(s)
		return nil
	})
}
