package systemdboot_test

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/boot/systemdboot"
	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/disk/disktest"
)

const (
	entriesDir = "/efi/loader/entries"
	template   = "title Candor {slot}\nlinux /candor/{slot}.efi\noptions root=PARTLABEL=system_{slot} candor.slot={slot} ro\n"
)

// machine is a board with the files of systemd-boot on a disk in memory. Its
// firmware is menu, below; no real one runs.
type machine struct {
	*systemdboot.Driver
	disk *disktest.Disk
}

func options(d disk.Disk) systemdboot.Options {
	return systemdboot.Options{Slots: []boot.Slot{"a", "b"}, Kernel: "/proc/cmdline", Disk: d}
}

func blank(t testing.TB) *disktest.Disk {
	t.Helper()
	d := disktest.New(1)
	put(t, d, "/etc/candor/entry.conf", template)
	put(t, d, "/efi/loader/loader.conf", "timeout 0\n# default nothing\n")
	put(t, d, "/proc/cmdline", "quiet candor.slot=a\n")
	return d
}

func put(t testing.TB, d disk.Disk, path, data string) {
	t.Helper()
	if err := disk.Replace(d, path, []byte(data)); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, d *disktest.Disk) *machine {
	t.Helper()
	driver, err := systemdboot.Open(options(d))
	if err != nil {
		t.Fatal(err)
	}
	return &machine{driver, d}
}

func fresh(t testing.TB) *machine {
	t.Helper()
	m := open(t, blank(t))
	if err := m.Provision("a"); err != nil {
		t.Fatal(err)
	}
	return m
}

// Boot is the power button: the entry that systemd-boot takes, counted.
func (m *machine) Boot() (boot.Slot, error) {
	items, err := menu(m.disk)
	if err != nil {
		return "", err
	}
	if len(items) == 0 {
		return "", errors.New("systemd-boot has no entry to boot")
	}
	chosen := items[0]
	if chosen.left > 0 {
		to := fmt.Sprintf("%s+%d-%d.conf", chosen.id, chosen.left-1, chosen.done+1)
		if err := errors.Join(m.disk.Rename(path.Join(entriesDir, chosen.file), path.Join(entriesDir, to)), m.disk.SyncDir(entriesDir)); err != nil {
			return "", err
		}
	}
	if err := disk.Replace(m.disk, "/proc/cmdline", []byte(chosen.fields["options"]+"\n")); err != nil {
		return "", err
	}
	return m.Booted()
}

// item is an entry as systemd-boot sees it.
type item struct {
	file, id   string
	left, done int // left: -1 without a counter
	fields     map[string]string
}

var counter = regexp.MustCompile(`^(.+)\+(\d+)(?:-(\d+))?$`)

// menu reads and sorts the entries as the Boot Loader Specification and
// systemd-boot(7) say: those without tries left last, then by sort-key, then by
// version, the highest first, then by name.
func menu(d disk.Disk) ([]item, error) {
	names, err := d.List(entriesDir)
	if err != nil {
		return nil, err
	}
	var out []item
	for _, file := range names {
		id, ok := strings.CutSuffix(file, ".conf")
		if !ok {
			continue
		}
		i := item{file: file, id: id, left: -1, fields: map[string]string{}}
		if m := counter.FindStringSubmatch(id); m != nil {
			i.id = m[1]
			if i.left, err = strconv.Atoi(m[2]); err == nil && m[3] != "" {
				i.done, err = strconv.Atoi(m[3])
			}
			if err != nil {
				return nil, err
			}
		}
		data, err := disk.ReadFile(d, path.Join(entriesDir, file), 1<<20)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(data)) {
			if key, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
				i.fields[key] = strings.TrimSpace(value)
			}
		}
		out = append(out, i)
	}
	slices.SortStableFunc(out, before)
	return out, nil
}

func before(a, b item) int {
	bad := func(i item) int {
		if i.left == 0 {
			return 1
		}
		return 0
	}
	number := func(i item) int { n, err := strconv.Atoi(i.fields["version"]); return n + min(0, errLevel(err)) }
	return cmp.Or(
		bad(a)-bad(b), strings.Compare(a.fields["sort-key"], b.fields["sort-key"]), number(b)-number(a), strings.Compare(b.id, a.id),
		b.left-a.left, a.done-b.done,
	)
}

// errLevel puts versions that are no numbers below all others.
func errLevel(err error) int {
	if err != nil {
		return -1
	}
	return 0
}
