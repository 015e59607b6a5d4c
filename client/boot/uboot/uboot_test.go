package uboot_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/boot/boottest"
	"github.com/candor-ota/candor/client/boot/uboot"
)

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func boots(t *testing.T, m *machine, want boot.Slot) {
	t.Helper()
	if got, err := m.Boot(); err != nil || got != want {
		t.Fatalf("booted %q, %v; want %q", got, err, want)
	}
}

func TestUBootConforms(t *testing.T) {
	boottest.Run(t, func(t *testing.T) boottest.Machine { return fresh(t) },
		func(t *testing.T, old boottest.Machine) boottest.Machine { return open(t, old.(*machine).dir) })
}

func TestTriesAreCountedInHexadecimal(t *testing.T) {
	m := fresh(t)
	must(t, m.Arm("b", 15))
	if out := tool(t, m.dir, "fw_printenv"); !strings.Contains(out, "BOOT_b_LEFT=f\n") {
		t.Fatalf("the environment is\n%s", out)
	}
	for left := 14; left >= 0; left-- {
		boots(t, m, "b")
		if s, err := m.State("b"); err != nil || s.TriesLeft != left {
			t.Fatalf("%+v, %v; want %d tries left", s, err, left)
		}
	}
	boots(t, m, "a")
}

func TestOtherVariablesOfTheBoardAreKept(t *testing.T) {
	m := fresh(t)
	must(t, m.MarkUnbootable("b"), m.Arm("b", 2))
	boots(t, m, "b")
	must(t, m.MarkGood("b"))
	if out := tool(t, m.dir, "fw_printenv"); !strings.Contains(out, "bootcmd=run distro_bootcmd\n") || !strings.Contains(out, "BOOT_ORDER=b a\n") || strings.Contains(out, "LEFT") {
		t.Fatalf("the environment is\n%s", out)
	}
}

func TestTryThatCannotBeCountedIsNotUsed(t *testing.T) {
	m := fresh(t)
	must(t, m.Arm("b", 2))
	write(t, m.path("fw_env.config.broken"), "") // saveenv fails
	boots(t, m, "a")
	must(t, os.Remove(m.path("fw_env.config.broken")))
	boots(t, m, "b")
}

func TestSlotThatDoesNotLoadIsLeftForTheNext(t *testing.T) {
	m := fresh(t)
	must(t, m.Arm("b", 2))
	write(t, m.path("fw_env.config.candor_boot_b.fails"), "")
	for _, left := range []int{1, 0, 0} {
		boots(t, m, "a")
		if s, err := m.State("b"); err != nil || s.TriesLeft != left {
			t.Fatalf("%+v, %v; want %d tries left", s, err, left)
		}
	}
}

func TestNoSlotThatWasGivenUpEverBoots(t *testing.T) {
	m := fresh(t)
	tool(t, m.dir, "fw_setenv", "BOOT_a_GOOD") // nobody's doing but a broken board's
	if slot, err := m.Boot(); !errors.Is(err, errBricked) {
		t.Fatalf("booted %q, %v", slot, err)
	}
}

func TestLostEnvironmentTriesBothSlotsAndTheWorkingOneIsKept(t *testing.T) {
	m := fresh(t)
	must(t, os.WriteFile(m.path("env"), slices.Repeat([]byte{0xff}, 2*copyBytes), 0o600))
	tool(t, m.dir, "fw_setenv", "-f", m.path("default"), "bootcmd", "compiled in") // U-Boot's default environment
	boots(t, m, "a")
	if s, err := m.State("a"); err != nil || s.Good || s.TriesLeft != 2 {
		t.Fatalf("%+v, %v", s, err)
	}
	if err := m.MarkUnbootable("b"); !errors.Is(err, boot.ErrUnproved) {
		t.Fatalf("the neighbour of an unproved slot: %v", err)
	}
	must(t, m.MarkGood("a"), m.MarkUnbootable("b"))
	boots(t, m, "a")
}

func TestRefusalsRestOnTheEnvironmentAndTheKernel(t *testing.T) {
	m := fresh(t)
	must(t, m.Arm("b", 3))
	boots(t, m, "b")
	if err := m.MarkUnbootable("a"); !errors.Is(err, boot.ErrUnproved) {
		t.Fatalf("the running slot is on trial: %v", err)
	}
	tool(t, m.dir, "fw_setenv", "BOOT_b_GOOD", "1") // the loader's own word
	must(t, m.MarkUnbootable("a"))
	write(t, m.path("cmdline"), "quiet ro\n")
	for verb, err := range map[string]error{"mark unbootable": m.MarkUnbootable("a"), "arm": m.Arm("a", 1), "mark good": m.MarkGood("b")} {
		if err == nil {
			t.Errorf("%s although nobody knows which slot runs", verb)
		}
	}
}

func TestBlankEnvironmentIsRefusedUntilItIsProvisioned(t *testing.T) {
	m := open(t, blank(t))
	if _, err := m.State("a"); !errors.Is(err, uboot.ErrEnvironment) || !strings.Contains(err.Error(), "`create`") {
		t.Fatalf("got %v", err)
	}
	if err := m.Provision("c"); !errors.Is(err, boot.ErrNoSlot) {
		t.Fatalf("got %v", err)
	}
	boots(t, m, "a") // before the factory came, with a counter
	must(t, m.Provision("a"))
	if s, err := m.State("a"); err != nil || !s.Good {
		t.Fatalf("%+v, %v", s, err)
	}
	if s, err := m.State("b"); err != nil || s.Bootable {
		t.Fatalf("%+v, %v", s, err)
	}
	boots(t, m, "a")
}

func TestSingleCopyOfTheEnvironmentIsRefused(t *testing.T) {
	m := fresh(t)
	write(t, m.path("fw_env.config"), m.path("env")+" 0x0 0x200\n#"+m.path("env")+" 0x200 0x200\n")
	if _, err := uboot.Open(options(m.dir)); !errors.Is(err, uboot.ErrEnvironment) || !strings.Contains(err.Error(), "two are needed") {
		t.Fatalf("got %v", err)
	}
}

func TestNonsenseInTheEnvironmentIsNeverGuessed(t *testing.T) {
	for name, value := range map[string]string{
		"BOOT_ORDER": "a c", "BOOT_a_GOOD": "yes", "BOOT_b_LEFT": "10",
	} {
		m := fresh(t)
		tool(t, m.dir, "fw_setenv", name, value)
		if _, err := m.State("a"); !errors.Is(err, uboot.ErrEnvironment) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%s: %v", name, value, err)
		}
		if err := m.Arm("b", 1); !errors.Is(err, uboot.ErrEnvironment) {
			t.Errorf("%s=%s: armed, %v", name, value, err)
		}
	}
}

// The fw_setenv that is not libubootenv's takes "name value" and skips the rest.
func TestVariableOfSeveralLinesPassesForNoOther(t *testing.T) {
	m := fresh(t)
	tool(t, m.dir, "fw_setenv", "motd", "hello\nBOOT_ORDER=b a")
	if _, err := m.State("a"); !errors.Is(err, uboot.ErrEnvironment) || !strings.Contains(err.Error(), "twice") {
		t.Fatalf("got %v", err)
	}
}

func TestToolThatIgnoresItsScriptIsNoticed(t *testing.T) {
	m := fresh(t)
	bin := t.TempDir()
	must(t, os.WriteFile(filepath.Join(bin, "fw_setenv"), []byte("#!/bin/sh\ncat >/dev/null\n"), 0o700))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	if err := m.Arm("b", 1); !errors.Is(err, uboot.ErrEnvironment) || !strings.Contains(err.Error(), "libubootenv") {
		t.Fatalf("armed, by its own word: %v", err)
	}
	must(t, os.WriteFile(filepath.Join(bin, "fw_setenv"), []byte("#!/bin/sh\necho no flash >&2\nexit 7\n"), 0o700))
	if err := m.Arm("b", 1); err == nil || !strings.Contains(err.Error(), "no flash") {
		t.Fatalf("got %v", err)
	}
}

// A tool that hangs, as on a flash that does not answer, must not hold the agent
// for ever.
func TestToolThatHangsIsEnded(t *testing.T) {
	dir := blank(t)
	bin := t.TempDir()
	for _, name := range []string{"fw_printenv", "fw_setenv"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\nexec sleep 3600\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	o := options(dir)
	o.Patience = 50 * time.Millisecond
	if _, err := uboot.Open(o); err == nil || !strings.Contains(err.Error(), "fw_printenv: no end within 50ms") {
		t.Fatalf("got %v", err)
	}
}
