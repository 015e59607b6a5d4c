package systemdboot_test

import (
	"slices"
	"testing"

	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/disk/disktest"
)

// look is what a handset is: the state of both slots, and what boots next.
type look struct {
	a, b boot.State
	next boot.Slot
}

func looks(t *testing.T, d *disktest.Disk) look {
	t.Helper()
	m := open(t, d.Clone())
	a, err := m.State("a")
	must(t, err)
	b, err := m.State("b")
	must(t, err)
	next, err := m.Boot()
	must(t, err)
	return look{a, b, next}
}

// TestPowerCutInAnyVerbLeavesTheStateBeforeOrAfter cuts the power at every
// operation of every verb, with every fate of what was not synced: lost, kept,
// torn, a rename with both names.
func TestPowerCutInAnyVerbLeavesTheStateBeforeOrAfter(t *testing.T) {
	for name, v := range map[string]struct {
		prep, verb func(*machine) error
	}{
		"arm":             {nothing, func(m *machine) error { return m.Arm("b", 3) }},
		"arm again":       {updated, func(m *machine) error { return m.Arm("a", 3) }},
		"mark unbootable": {armed, func(m *machine) error { return m.MarkUnbootable("b") }},
		"disarm":          {armed, func(m *machine) error { return m.Disarm("b") }},
		"disarm within":   {trying, func(m *machine) error { return m.Disarm("b") }},
		"mark good":       {trying, func(m *machine) error { return m.MarkGood("b") }},
		"count a try":     {armed, func(m *machine) error { _, err := m.Boot(); return err }},
	} {
		t.Run(name, func(t *testing.T) {
			m := fresh(t)
			must(t, v.prep(m))
			m.disk = m.disk.Clone()
			m = open(t, m.disk)
			allowed := []look{looks(t, m.disk)}
			m.disk.Record()
			must(t, v.verb(m))
			allowed = append(allowed, looks(t, m.disk))
			states := cuts(t, m.disk.Walk(), m.disk.Recorded(), allowed)
			if len(states) != 2 {
				t.Errorf("of before %+v and after %+v only %+v was seen", allowed[0], allowed[1], states)
			}
		})
	}
}

func cuts(t *testing.T, w *disktest.Walk, operations int, allowed []look) map[look]bool {
	t.Helper()
	seen, crashes := map[look]bool{}, 0
	for {
		if w.Position() == operations {
			allowed[0] = allowed[1] // the verb has returned
		}
		for _, o := range disktest.Outcomes(w.Pending()) {
			got := looks(t, w.Crash(o))
			if !slices.Contains(allowed, got) {
				t.Fatalf("after %s, outcome %s: %+v; before %+v, after %+v", w.Operation(), o, got, allowed[0], allowed[1])
			}
			seen[got] = true
			crashes++
		}
		if !w.Next() {
			if crashes < 4 {
				t.Errorf("only %d cuts", crashes)
			}
			return seen
		}
	}
}

func nothing(*machine) error { return nil }

func armed(m *machine) error { return m.Arm("b", 3) }

func trying(m *machine) error {
	if err := m.Arm("b", 3); err != nil {
		return err
	}
	_, err := m.Boot()
	return err
}

func updated(m *machine) error {
	if err := trying(m); err != nil {
		return err
	}
	if err := m.MarkGood("b"); err != nil {
		return err
	}
	return m.MarkUnbootable("a")
}

// A cut within a rename may leave both names. Every verb then still does what
// it says.
func TestBothNamesOfARenameAreOneSlot(t *testing.T) {
	m := fresh(t)
	must(t, trying(m))
	text := "sort-key candor\nversion 2\nlinux /x\noptions candor.slot=b\n"
	put(t, m.disk, entriesDir+"/candor-b+3.conf", text) // the firmware's rename was cut
	if s, err := m.State("b"); err != nil || s.TriesLeft != 3 {
		t.Fatalf("%+v, %v", s, err)
	}
	must(t, m.MarkGood("b"))
	if got := files(t, m); !slices.Equal(got, []string{"candor-a.conf", "candor-b.conf"}) {
		t.Fatalf("the entries are %q", got)
	}
	put(t, m.disk, entriesDir+"/candor-b+2-1.conf", text) // the agent's was
	if s, err := m.State("b"); err != nil || !s.Good {
		t.Fatalf("%+v, %v", s, err)
	}
	must(t, m.MarkUnbootable("a"), m.Arm("a", 1))
	boots(t, m, "a")
	boots(t, m, "b")
}
