package uboot_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/candor-ota/candor/client/boot"
)

// verbs is the life of a slot, each verb with what precedes it.
var verbs = []struct {
	name string
	prep func(*testing.T, *machine)
	verb func(*machine) error
}{
	{"mark unbootable", func(t *testing.T, m *machine) { must(t, m.Arm("b", 3)) }, func(m *machine) error { return m.MarkUnbootable("b") }},
	{"arm", func(*testing.T, *machine) {}, func(m *machine) error { return m.Arm("b", 3) }},
	{"disarm", func(t *testing.T, m *machine) { must(t, m.Arm("b", 3)) }, func(m *machine) error { return m.Disarm("b") }},
	{"mark good", func(t *testing.T, m *machine) { must(t, m.Arm("b", 3)); boots(t, m, "b") }, func(m *machine) error { return m.MarkGood("b") }},
	{"count a try", func(t *testing.T, m *machine) { must(t, m.Arm("b", 3)) }, func(m *machine) error { _, err := m.Boot(); return err }},
}

// A power cut while fw_setenv or saveenv writes leaves any part of the copy
// that was being written, begun at either end. The copy in use is whole, so the
// state is the one before or the one after.
func TestTornWriteOfTheEnvironmentLeavesTheStateBeforeOrAfter(t *testing.T) {
	for _, v := range verbs {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			m := fresh(t)
			v.prep(t, m)
			before, states := env(t, m), [2][2]boot.State{{state(t, m, "a"), state(t, m, "b")}}
			must(t, v.verb(m))
			after := env(t, m)
			states[1] = [2]boot.State{state(t, m, "a"), state(t, m, "b")}
			at, end := differ(t, before, after)
			seen := [2]bool{}
			for k := at; k <= end; k++ {
				for _, torn := range [][]byte{tear(before, after, k), tear(after, before, k)} {
					must(t, os.WriteFile(m.path("env"), torn, 0o600))
					got := [2]boot.State{state(t, m, "a"), state(t, m, "b")}
					if got != states[0] && got != states[1] {
						t.Fatalf("torn at byte %d: slots are %+v, before %+v, after %+v", k, got, states[0], states[1])
					}
					seen[0], seen[1] = seen[0] || got == states[0], seen[1] || got == states[1]
				}
			}
			if seen != [2]bool{true, true} {
				t.Errorf("before and after: seen are %v", seen)
			}
		})
	}
}

// tear is a write of to over from that came as far as byte k.
func tear(from, to []byte, k int) []byte { return append(bytes.Clone(to[:k]), from[k:]...) }

func env(t *testing.T, m *machine) []byte {
	t.Helper()
	data, err := os.ReadFile(m.path("env"))
	must(t, err)
	return data
}

func state(t *testing.T, m *machine, s boot.Slot) boot.State {
	t.Helper()
	got, err := m.State(s)
	must(t, err)
	return got
}

// differ gives the bytes that a write changed, and demands that they are all of
// one copy.
func differ(t *testing.T, before, after []byte) (at, end int) {
	t.Helper()
	for at = 0; before[at] == after[at]; at++ {
	}
	for end = len(after); before[end-1] == after[end-1]; end-- {
	}
	if at/copyBytes != (end-1)/copyBytes {
		t.Fatalf("a verb wrote bytes %d to %d, which is both copies", at, end)
	}
	return at, end
}

// The torn copy is never the one in use, whatever happened before.
func TestCutAfterCutTheBoardBoots(t *testing.T) {
	m := fresh(t)
	for i := range 12 {
		before := env(t, m)
		must(t, m.Arm("b", 1+i%3))
		after := env(t, m)
		at, end := differ(t, before, after)
		must(t, os.WriteFile(m.path("env"), tear(before, after, at+(end-at)*i/12), 0o600))
		if slot, err := m.Boot(); err != nil {
			t.Fatalf("cut %d: %q, %v", i, slot, err)
		}
		write(t, m.path("cmdline"), "candor.slot=a\n") // the watchdog
	}
}
