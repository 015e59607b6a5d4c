package systemdboot_test

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/boot/boottest"
	"github.com/candor-ota/candor/client/boot/systemdboot"
	"github.com/candor-ota/candor/client/disk"
)

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func boots(t testing.TB, m *machine, want boot.Slot) {
	t.Helper()
	if got, err := m.Boot(); err != nil || got != want {
		t.Fatalf("booted %q, %v; want %q", got, err, want)
	}
}

func files(t testing.TB, m *machine) []string {
	t.Helper()
	names, err := m.disk.List(entriesDir)
	must(t, err)
	return slices.DeleteFunc(names, func(n string) bool { return !strings.HasSuffix(n, ".conf") })
}

func TestSystemdBootConforms(t *testing.T) {
	boottest.Run(t, func(t *testing.T) boottest.Machine { return fresh(t) },
		func(t *testing.T, old boottest.Machine) boottest.Machine { return open(t, old.(*machine).disk.Clone()) })
}

func TestEntriesAreThoseOfTheSpecification(t *testing.T) {
	m := fresh(t)
	must(t, m.Arm("b", 3))
	text, err := disk.ReadFile(m.disk, path.Join(entriesDir, "candor-b+3.conf"), 1<<20)
	must(t, err)
	want := "sort-key candor\nversion 2\n" + strings.ReplaceAll(template, "{slot}", "b")
	if string(text) != want {
		t.Fatalf("the entry is\n%s", text)
	}
	for _, name := range []string{"candor-b+2-1.conf", "candor-b+1-2.conf", "candor-b+0-3.conf"} {
		boots(t, m, "b")
		if got := files(t, m); !slices.Equal(got, []string{name, "candor-a.conf"}) && !slices.Equal(got, []string{"candor-a.conf", name}) {
			t.Fatalf("the entries are %q", got)
		}
	}
	must(t, m.MarkGood("b")) // on its last try
	if got := files(t, m); !slices.Equal(got, []string{"candor-a.conf", "candor-b.conf"}) {
		t.Fatalf("the entries are %q", got)
	}
	boots(t, m, "b")
}

func TestManyUpdatesAlternateSlotsAndVersionsRise(t *testing.T) {
	m := fresh(t)
	running, spare := boot.Slot("a"), boot.Slot("b")
	for i := range 12 {
		must(t, m.MarkUnbootable(spare), m.Arm(spare, 2))
		boots(t, m, spare)
		must(t, m.MarkGood(spare))
		boots(t, m, spare)
		running, spare = spare, running
		text, err := disk.ReadFile(m.disk, path.Join(entriesDir, "candor-"+string(running)+".conf"), 1<<20)
		must(t, err)
		if want := fmt.Sprintf("version %d\n", i+2); !strings.Contains(string(text), want) {
			t.Fatalf("update %d wrote\n%s", i, text)
		}
	}
}

func TestRefusalsRestOnTheEntriesAndTheKernel(t *testing.T) {
	m := fresh(t)
	must(t, m.Arm("b", 3))
	boots(t, m, "b")
	if err := m.MarkUnbootable("a"); !errors.Is(err, boot.ErrUnproved) {
		t.Fatalf("the running slot is on trial: %v", err)
	}
	must(t, m.disk.Rename(entriesDir+"/candor-b+2-1.conf", entriesDir+"/candor-b.conf")) // the loader's own word
	must(t, m.MarkUnbootable("a"))
	put(t, m.disk, "/proc/cmdline", "quiet\n")
	for verb, err := range map[string]error{"mark unbootable": m.MarkUnbootable("a"), "arm": m.Arm("a", 1), "mark good": m.MarkGood("b")} {
		if err == nil {
			t.Errorf("%s although nobody knows which slot runs", verb)
		}
	}
}

func TestWhateverOverrulesTheOrderIsRefused(t *testing.T) {
	for name, path := range map[string]string{
		"loader.conf": "/efi/loader/loader.conf", "LoaderEntryDefault": "/sys/firmware/efi/efivars/LoaderEntryDefault-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f",
	} {
		d := blank(t)
		put(t, d, path, "timeout 3\ndefault arch.conf\n")
		if _, err := systemdboot.Open(options(d)); !errors.Is(err, systemdboot.ErrEntry) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTemplateThatWouldNotSayWhichSlotRunsIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"no kernel": "options candor.slot={slot}\n", "no options": "linux /x\n", "fixed slot": "linux /x\noptions candor.slot=a\n",
		"a version": "linux /x\nversion 9\noptions candor.slot={slot}\n", "a sort-key": "linux /x\nsort-key z\noptions candor.slot={slot}\n",
		"too long": "linux /x\noptions candor.slot={slot}\n" + strings.Repeat("# \n", 9<<10), "empty": "",
	} {
		d := blank(t)
		put(t, d, "/etc/candor/entry.conf", text)
		if _, err := systemdboot.Open(options(d)); err == nil || !strings.Contains(err.Error(), "template of entries") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEntriesThatAreNotUnderstoodAreNeverGuessed(t *testing.T) {
	for name, text := range map[string]string{
		"candor-b+3-x.conf": "version 2\n", "candor-b+99.conf": "version 2\n", "candor-c.conf": "version 2\n", "candor-B.conf": "version 2\n",
		"candor-b.conf": "title none\n", "candor-b+1.conf": "version 2\nversion 3\n", "candor-b+2.conf": "version 1.0\n", "candor-b+3.conf": "version 18446744073709551615\n",
	} {
		m := fresh(t)
		put(t, m.disk, entriesDir+"/"+name, text)
		if _, err := systemdboot.Open(options(m.disk)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		if err := m.Arm("b", 1); err == nil {
			t.Errorf("%s: armed", name)
		}
	}
}

func TestFactorySetsTheLoaderUpWhateverItWas(t *testing.T) {
	m := open(t, blank(t))
	if err := m.Provision("c"); !errors.Is(err, boot.ErrNoSlot) {
		t.Fatalf("got %v", err)
	}
	must(t, m.Provision("a"))
	boots(t, m, "a")
	must(t, m.Arm("b", 3))
	must(t, m.Provision("a")) // once more
	boots(t, m, "a")
	if got := files(t, m); !slices.Equal(got, []string{"candor-a.conf"}) {
		t.Fatalf("the entries are %q", got)
	}
	must(t, m.Provision("b"))
	boots(t, m, "b")
	if s, err := m.State("a"); err != nil || s.Bootable {
		t.Fatalf("%+v, %v", s, err)
	}
}
