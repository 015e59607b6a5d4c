package systemdboot

import (
	"fmt"
	"slices"

	"github.com/candor-ota/candor/client/boot"
)

// Provision makes a slot the good one and the others unbootable, whatever they
// were: it is for a factory, which knows that the slot is whole. From its first
// step on, that slot boots.
func (d *Driver) Provision(s boot.Slot) error {
	if !slices.Contains(d.o.Slots, s) {
		return fmt.Errorf("provision slot %q: %w", s, boot.ErrNoSlot)
	}
	if err := d.o.Disk.MkdirAll(d.dir); err != nil {
		return fmt.Errorf("systemd-boot: %w", err)
	}
	all, err := d.entries()
	if err != nil {
		return err
	}
	if err := d.write(goodName(s), s, all); err != nil {
		return err
	}
	return d.off(slices.DeleteFunc(all, func(e entry) bool { return e.file == goodName(s) }))
}

// change looks at slot and loader, and applies a verb.
func (d *Driver) change(verb string, s boot.Slot, apply func(all []entry, booted boot.Slot) error) error {
	err := boot.ErrNoSlot
	if slices.Contains(d.o.Slots, s) {
		var all []entry
		var booted boot.Slot
		if all, err = d.entries(); err == nil {
			booted, err = d.Booted()
		}
		if err == nil {
			err = apply(all, booted)
		}
	}
	if err != nil {
		return fmt.Errorf("%s slot %q: %w", verb, s, err)
	}
	return nil
}

// MarkUnbootable refuses by the entries' own word.
func (d *Driver) MarkUnbootable(s boot.Slot) error {
	return d.change("mark unbootable", s, func(all []entry, booted boot.Slot) error {
		switch {
		case s == booted:
			return boot.ErrBooted
		case !good(booted, all):
			return boot.ErrUnproved
		}
		return d.off(of(s, all))
	})
}

// Arm puts a slot first. A slot that is bootable is made unbootable before: that
// is one step more, after which a power cut leaves it unbootable.
func (d *Driver) Arm(s boot.Slot, tries int) error {
	return d.change("arm", s, func(all []entry, booted boot.Slot) error {
		switch {
		case tries < 1 || tries > boot.MaxTries:
			return boot.ErrTries
		case s == booted:
			return boot.ErrBooted
		case !good(booted, all):
			return boot.ErrUnproved
		}
		if err := d.off(of(s, all)); err != nil {
			return err
		}
		return d.write(armedName(s, tries), s, all)
	})
}

// Disarm returns to the good slot at the next boot: without the armed entry it
// is the first.
func (d *Driver) Disarm(s boot.Slot) error {
	return d.change("disarm", s, func(all []entry, _ boot.Slot) error {
		if good(s, all) {
			return nil // it proved itself; there is nothing to take back
		}
		if !slices.ContainsFunc(all, func(e entry) bool { return e.good }) {
			return boot.ErrUnproved
		}
		return d.off(of(s, all))
	})
}

// MarkGood takes the counter away, as systemd-bless-boot does.
func (d *Driver) MarkGood(s boot.Slot) error {
	return d.change("mark good", s, func(all []entry, booted boot.Slot) error {
		if s != booted {
			return boot.ErrNotBooted
		}
		mine := of(s, all)
		if len(mine) == 0 {
			return d.write(goodName(s), s, all)
		}
		if !mine[0].good {
			if err := d.rename(mine[0].file, goodName(s)); err != nil {
				return err
			}
		}
		return d.off(mine[1:])
	})
}
