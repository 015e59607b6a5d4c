package boot_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/disk"
)

var slots = []boot.Slot{"a", "b"}

func fromKernel(t testing.TB, line string) (boot.Slot, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cmdline")
	if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	return boot.FromKernel(disk.OS{}, path, "candor.slot", slots)
}

func TestRunningSlotIsTheOneThatTheKernelWasStartedWith(t *testing.T) {
	for _, line := range []string{"candor.slot=b", "quiet root=PARTLABEL=system_b candor.slot=b ro\n", "candor.slot=b -- candor.slot=a"} {
		if got, err := fromKernel(t, line); err != nil || got != "b" {
			t.Errorf("%q: %q, %v", line, got, err)
		}
	}
}

func TestRunningSlotIsNeverGuessed(t *testing.T) {
	for name, line := range map[string]string{
		"absent": "quiet ro", "empty": "", "twice": "candor.slot=a candor.slot=a", "both": "candor.slot=a candor.slot=b", "only for init": "-- candor.slot=a",
		"unknown": "candor.slot=c", "of another argument": "xcandor.slot=a", "without a value": "candor.slot=", "too long": "candor.slot=a " + strings.Repeat("x", 64<<10),
	} {
		if got, err := fromKernel(t, line); err == nil {
			t.Errorf("%s: %q", name, got)
		}
	}
	if _, err := fromKernel(t, "candor.slot=c"); !errors.Is(err, boot.ErrNoSlot) {
		t.Errorf("an unknown slot: %v", err)
	}
}

func TestThisSystemsCommandLineIsRead(t *testing.T) {
	if _, err := boot.FromKernel(disk.OS{}, boot.KernelCommandLine, "candor.slot", slots); err == nil || !strings.Contains(err.Error(), "is there 0 times") {
		t.Fatalf("got %v", err)
	}
}

func FuzzRunningSlot(f *testing.F) {
	for _, seed := range []string{"candor.slot=a", "quiet candor.slot=b ro", "candor.slot=c", "candor.slot=a candor.slot=b", "-- candor.slot=a", "\x00candor.slot=a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		slot, err := fromKernel(t, line)
		if err != nil {
			return
		}
		if !slices.Contains(slots, slot) || strings.Count(line, "candor.slot="+string(slot)) < 1 {
			t.Fatalf("%q names %q", line, slot)
		}
	})
}
