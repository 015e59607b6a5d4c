// Package boottest is the conformance suite of boot drivers: what the agent
// relies on, whatever boot loader is behind it.
package boottest

import (
	"errors"
	"testing"

	"github.com/candor-ota/candor/client/boot"
)

// Machine is a driver with the power button of its handset.
type Machine interface {
	boot.Driver
	// Boot restarts the handset and tells which slot the loader chose.
	Boot() (boot.Slot, error)
}

// Run runs the suite. fresh makes a handset with two slots that runs the good
// first one; reopen gives a driver that knows only what was durable.
func Run(t *testing.T, fresh func(*testing.T) Machine, reopen func(*testing.T, Machine) Machine) {
	for name, promise := range map[string]func(*testing.T, Machine){
		"FactorySlotBootsForEver":         factoryBoots,
		"ArmedSlotIsTriedThenGivenUp":     triedThenGivenUp,
		"GoodSlotIsKept":                  goodIsKept,
		"DisarmReturnsAtTheNextBoot":      disarmReturns,
		"DisarmFromWithinReturns":         disarmFromWithin,
		"RunningSlotIsNeverGivenAway":     runningIsKept,
		"NeighbourOfAnUnprovedSlotIsKept": neighbourIsKept,
		"OnlyTheRunningSlotIsMarkedGood":  onlyRunningIsGood,
		"UnknownSlotsAndTriesAreRefused":  unknownRefused,
		"UnbootableSlotIsNeverChosen":     unbootableNeverChosen,
		"GoodSlotSurvivesDisarm":          goodSurvivesDisarm,
		"EveryTryUpToTheMostIsCounted":    mostTries,
		"UpdateAfterUpdateAlternates":     alternates,
		"RefusalsChangeNothing":           refusalsChangeNothing,
		"RunningSlotIsFirstAfterDisarm":   firstAfterDisarm,
	} {
		t.Run(name, func(t *testing.T) {
			m := fresh(t)
			promise(t, &durable{m, t, reopen})
		})
	}
}

// durable reopens the driver after each verb, so that nothing is kept in
// memory alone.
type durable struct {
	Machine
	t      *testing.T
	reopen func(*testing.T, Machine) Machine
}

func (d *durable) Arm(s boot.Slot, tries int) error {
	defer d.again()
	return d.Machine.Arm(s, tries)
}

func (d *durable) MarkGood(s boot.Slot) error {
	defer d.again()
	return d.Machine.MarkGood(s)
}

func (d *durable) MarkUnbootable(s boot.Slot) error {
	defer d.again()
	return d.Machine.MarkUnbootable(s)
}

func (d *durable) Disarm(s boot.Slot) error {
	defer d.again()
	return d.Machine.Disarm(s)
}

func (d *durable) again() { d.Machine = d.reopen(d.t, d.Machine) }

func pair(t *testing.T, m Machine) (running, spare boot.Slot) {
	t.Helper()
	slots, err := m.Slots()
	if err != nil || len(slots) < 2 {
		t.Fatal(slots, err)
	}
	if running, err = m.Booted(); err != nil {
		t.Fatal(err)
	}
	for _, s := range slots {
		if s != running {
			return running, s
		}
	}
	t.Fatal("no spare slot")
	return
}

func do(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func boots(t *testing.T, m Machine, want boot.Slot) {
	t.Helper()
	if got, err := m.Boot(); err != nil || got != want {
		t.Fatalf("booted %q, %v; want %q", got, err, want)
	}
	if got, err := m.Booted(); err != nil || got != want {
		t.Fatalf("Booted says %q, %v; want %q", got, err, want)
	}
}

func factoryBoots(t *testing.T, m Machine) {
	running, _ := pair(t, m)
	for range 20 {
		boots(t, m, running)
	}
}

func triedThenGivenUp(t *testing.T, m Machine) {
	running, spare := pair(t, m)
	do(t, m.MarkUnbootable(spare), m.Arm(spare, 3))
	if s, err := m.State(spare); err != nil || !s.Armed() || s.TriesLeft != 3 || s.Spent {
		t.Fatalf("armed slot: %+v, %v", s, err)
	}
	for range 3 {
		boots(t, m, spare)
	}
	boots(t, m, running)
	if s, err := m.State(spare); err != nil || s.Bootable || s.Armed() || !s.Spent {
		t.Fatalf("slot that was given up: %+v, %v", s, err)
	}
	boots(t, m, running)
	do(t, m.MarkUnbootable(spare))
	if s, err := m.State(spare); err != nil || s.Spent {
		t.Fatalf("slot that is to be written: %+v, %v", s, err)
	}
}

func goodIsKept(t *testing.T, m Machine) {
	_, spare := pair(t, m)
	do(t, m.MarkUnbootable(spare), m.Arm(spare, 2))
	boots(t, m, spare)
	do(t, m.MarkGood(spare))
	for range 20 {
		boots(t, m, spare)
	}
}

func disarmReturns(t *testing.T, m Machine) {
	running, spare := pair(t, m)
	do(t, m.MarkUnbootable(spare), m.Arm(spare, 3), m.Disarm(spare))
	boots(t, m, running)
	if s, err := m.State(spare); err != nil || s.Bootable || s.Spent {
		t.Fatalf("disarmed slot: %+v, %v", s, err)
	}
}

func disarmFromWithin(t *testing.T, m Machine) {
	running, spare := pair(t, m)
	do(t, m.MarkUnbootable(spare), m.Arm(spare, 3))
	boots(t, m, spare)
	do(t, m.Disarm(spare))
	boots(t, m, running)
}

func runningIsKept(t *testing.T, m Machine) {
	running, _ := pair(t, m)
	if err := m.MarkUnbootable(running); !errors.Is(err, boot.ErrBooted) {
		t.Fatalf("marking the running slot: %v", err)
	}
	if err := m.Arm(running, 1); !errors.Is(err, boot.ErrBooted) {
		t.Fatalf("arming the running slot: %v", err)
	}
	boots(t, m, running)
}

func neighbourIsKept(t *testing.T, m Machine) {
	running, spare := pair(t, m)
	do(t, m.MarkUnbootable(spare), m.Arm(spare, 1))
	boots(t, m, spare)
	if err := m.MarkUnbootable(running); !errors.Is(err, boot.ErrUnproved) {
		t.Fatalf("giving up the only way back: %v", err)
	}
	boots(t, m, running)
}

func onlyRunningIsGood(t *testing.T, m Machine) {
	_, spare := pair(t, m)
	do(t, m.MarkUnbootable(spare), m.Arm(spare, 1))
	if err := m.MarkGood(spare); !errors.Is(err, boot.ErrNotBooted) {
		t.Fatalf("marking a slot good that never ran: %v", err)
	}
}

func unknownRefused(t *testing.T, m Machine) {
	_, spare := pair(t, m)
	if err := m.Arm("no-such-slot", 1); !errors.Is(err, boot.ErrNoSlot) {
		t.Fatalf("got %v", err)
	}
	for _, tries := range []int{-1, 0, boot.MaxTries + 1} {
		if err := m.Arm(spare, tries); !errors.Is(err, boot.ErrTries) {
			t.Fatalf("%d tries: %v", tries, err)
		}
	}
}

func unbootableNeverChosen(t *testing.T, m Machine) {
	running, spare := pair(t, m)
	do(t, m.MarkUnbootable(spare), m.Arm(spare, 3), m.MarkUnbootable(spare))
	boots(t, m, running)
}

func goodSurvivesDisarm(t *testing.T, m Machine) {
	_, spare := pair(t, m)
	do(t, m.MarkUnbootable(spare), m.Arm(spare, 1))
	boots(t, m, spare)
	do(t, m.MarkGood(spare), m.Disarm(spare))
	boots(t, m, spare)
}

func mostTries(t *testing.T, m Machine) {
	running, spare := pair(t, m)
	do(t, m.MarkUnbootable(spare), m.Arm(spare, boot.MaxTries))
	for left := boot.MaxTries - 1; left >= 0; left-- {
		boots(t, m, spare)
		if s, err := m.State(spare); err != nil || s.TriesLeft != left {
			t.Fatalf("%+v, %v; want %d tries left", s, err, left)
		}
	}
	boots(t, m, running)
}

func alternates(t *testing.T, m Machine) {
	running, spare := pair(t, m)
	for range 6 {
		do(t, m.MarkUnbootable(spare), m.Arm(spare, 2))
		boots(t, m, spare)
		do(t, m.MarkGood(spare))
		running, spare = spare, running
		boots(t, m, running)
	}
}

func refusalsChangeNothing(t *testing.T, m Machine) {
	running, spare := pair(t, m)
	do(t, m.MarkUnbootable(spare), m.Arm(spare, 2))
	boots(t, m, spare)
	look := func() (s [2]boot.State) {
		for i, slot := range []boot.Slot{running, spare} {
			state, err := m.State(slot)
			do(t, err)
			s[i] = state
		}
		return s
	}
	before := look()
	for name, refused := range map[string]error{
		"giving up the way back": m.MarkUnbootable(running), "arming it": m.Arm(running, 1), "giving up the running slot": m.MarkUnbootable(spare),
		"marking the other good": m.MarkGood(running), "no tries": m.Arm(spare, 0), "no such slot": m.Disarm("no-such-slot"),
	} {
		if refused == nil {
			t.Errorf("%s is not refused", name)
		}
	}
	if after := look(); after != before {
		t.Fatalf("slots were %+v, and are %+v", before, after)
	}
	boots(t, m, spare)
	boots(t, m, running)
}

// A slot that was disarmed and armed again is tried; one that was disarmed last
// is not, whichever slot the loader was told to try first before.
func firstAfterDisarm(t *testing.T, m Machine) {
	running, spare := pair(t, m)
	do(t, m.MarkUnbootable(spare), m.Arm(spare, 1), m.Disarm(spare), m.Arm(spare, 1))
	boots(t, m, spare)
	do(t, m.Disarm(spare))
	for range 3 {
		boots(t, m, running)
	}
	if s, err := m.State(running); err != nil || !s.Good {
		t.Fatalf("the way back: %+v, %v", s, err)
	}
	do(t, m.MarkUnbootable(spare))
}
