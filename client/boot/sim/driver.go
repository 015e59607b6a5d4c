package sim

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/manifests"
)

// Slots gives a and b.
func (s *Sim) Slots() ([]boot.Slot, error) {
	e, err := s.load()
	if err != nil {
		return nil, err
	}
	var out []boot.Slot
	for name := range e.Slots {
		out = append(out, boot.Slot(name))
	}
	slices.Sort(out)
	return out, nil
}

// Booted is the slot that the last Boot chose.
func (s *Sim) Booted() (boot.Slot, error) {
	e, err := s.load()
	if err != nil {
		return "", err
	}
	return e.Booted, nil
}

// State is what the environment says of a slot.
func (s *Sim) State(slot boot.Slot) (boot.State, error) {
	e, err := s.load()
	if err != nil {
		return boot.State{}, err
	}
	v, ok := e.Slots[string(slot)]
	if !ok {
		return boot.State{}, fmt.Errorf("slot %q: %w", slot, boot.ErrNoSlot)
	}
	return boot.State{Bootable: v.Bootable, Good: v.Good, TriesLeft: v.Tries, Spent: v.Spent}, nil
}

// change applies one verb to the environment, as one durable step.
func (s *Sim) change(verb string, slot boot.Slot, apply func(*env, *slotEnv) error) error {
	e, err := s.load()
	if err != nil {
		return err
	}
	v, ok := e.Slots[string(slot)]
	if !ok {
		err = boot.ErrNoSlot
	} else {
		err = apply(e, &v)
	}
	if err != nil {
		return fmt.Errorf("%s slot %q: %w", verb, slot, err)
	}
	e.Slots[string(slot)] = v
	return s.save(e)
}

// MarkUnbootable refuses by the environment's own word.
func (s *Sim) MarkUnbootable(slot boot.Slot) error {
	return s.change("mark unbootable", slot, func(e *env, v *slotEnv) error {
		switch {
		case slot == e.Booted:
			return boot.ErrBooted
		case !e.Slots[string(e.Booted)].Good:
			return boot.ErrUnproved
		}
		*v = slotEnv{}
		if e.First == slot {
			e.First = e.Booted
		}
		return nil
	})
}

// Arm makes slot the first to be tried.
func (s *Sim) Arm(slot boot.Slot, tries int) error {
	return s.change("arm", slot, func(e *env, v *slotEnv) error {
		switch {
		case tries < 1 || tries > boot.MaxTries:
			return boot.ErrTries
		case slot == e.Booted:
			return boot.ErrBooted
		case !e.Slots[string(e.Booted)].Good:
			return boot.ErrUnproved
		}
		*v, e.First = slotEnv{Bootable: true, Tries: tries}, slot
		return nil
	})
}

// Disarm returns to the good slot at the next boot.
func (s *Sim) Disarm(slot boot.Slot) error {
	return s.change("disarm", slot, func(e *env, v *slotEnv) error {
		if v.Good {
			return nil // it proved itself; there is nothing to take back
		}
		for name, other := range e.Slots {
			if other.Good {
				*v, e.First = slotEnv{}, boot.Slot(name)
				return nil
			}
		}
		return boot.ErrUnproved
	})
}

// MarkGood keeps the running slot.
func (s *Sim) MarkGood(slot boot.Slot) error {
	return s.change("mark good", slot, func(e *env, v *slotEnv) error {
		if slot != e.Booted {
			return boot.ErrNotBooted
		}
		*v, e.First = slotEnv{Bootable: true, Good: true}, slot
		return nil
	})
}

// ErrBricked is the end of a handset: no slot may be booted.
var ErrBricked = errors.New("no slot is bootable")

// Boot is the boot loader: it chooses a slot, counts the try before it is used,
// and makes the choice durable.
func (s *Sim) Boot() (boot.Slot, error) {
	e, err := s.load()
	if err != nil {
		return "", err
	}
	chosen, v, err := e.choose()
	if err != nil {
		return "", err
	}
	e.Slots[string(chosen)], e.Booted = v, chosen
	e.Boots++
	return chosen, s.save(e)
}

func (e *env) choose() (boot.Slot, slotEnv, error) {
	first := e.Slots[string(e.First)]
	switch {
	case first.Bootable && first.Good:
		return e.First, first, nil
	case first.Bootable && first.Tries > 0:
		first.Tries--
		return e.First, first, nil
	}
	e.Slots[string(e.First)] = slotEnv{Spent: true}
	for name, v := range e.Slots {
		if v.Bootable && v.Good {
			e.First = boot.Slot(name)
			return e.First, v, nil
		}
	}
	return "", slotEnv{}, ErrBricked
}

// Fits refuses a release that lacks an image of the running build.
func (s *Sim) Fits(_ boot.Slot, images []boot.Image) error {
	booted, err := s.Booted()
	if err != nil {
		return err
	}
	running, err := s.Metadata(booted)
	if err != nil {
		return err
	}
	for _, has := range running.Images {
		if !slices.ContainsFunc(images, func(m boot.Image) bool { return m.Name == has.Name }) {
			return fmt.Errorf("image %s, which each slot of this handset has, is missing: %w", has.Name, boot.ErrMisfit)
		}
	}
	return nil
}

// OpenForWrite opens an image of a slot, of size bytes, for writing. Bytes that
// are shared with other handsets are left to them. The slot must be unbootable.
func (s *Sim) OpenForWrite(slot boot.Slot, image manifests.Name, size int64) (disk.File, error) {
	state, err := s.State(slot)
	if err != nil {
		return nil, err
	}
	if state.Bootable {
		return nil, fmt.Errorf("write slot %q: it is bootable; mark it unbootable first", slot)
	}
	path := s.Image(slot, image)
	if ok, err := s.usable(path, size); err != nil {
		return nil, err
	} else if ok {
		return s.disk.Open(path, disk.Write)
	}
	f, err := s.disk.Create(path+".new", size)
	if err != nil {
		return nil, fmt.Errorf("write slot %q: %w", slot, err)
	}
	err = f.Sync()
	if err = errors.Join(err, s.disk.Rename(path+".new", path), s.disk.SyncDir(s.dir)); err != nil {
		return nil, errors.Join(fmt.Errorf("write slot %q: %w", slot, err), f.Close())
	}
	return f, nil
}

// usable tells whether a slot's file has the size and belongs to this handset
// alone.
func (s *Sim) usable(path string, size int64) (bool, error) {
	f, err := s.disk.Open(path, disk.Read)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	has, err := f.Size()
	if err = errors.Join(err, f.Close()); err != nil {
		return false, err
	}
	shared, err := s.disk.Shared(path)
	return err == nil && !shared && has == size, err
}
