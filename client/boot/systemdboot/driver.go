package systemdboot

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/disk"
)

// Options say where things are. Empty fields have the defaults named there.
type Options struct {
	Slots    []boot.Slot
	ESP      string // where the EFI system partition is mounted; /efi
	Template string // of an entry; /etc/candor/entry.conf
	Argument string // on the kernel's command line; candor.slot
	Kernel   string // file of that command line; boot.KernelCommandLine
	Firmware string // the firmware's variables; /sys/firmware/efi/efivars
	Disk     disk.Disk
}

// Driver satisfies boot.Driver.
type Driver struct {
	o        Options
	dir      string // of the entries
	template []byte
}

var _ boot.Driver = (*Driver)(nil)

// Open reads the template, and refuses what would overrule the order of the
// entries.
func Open(o Options) (*Driver, error) {
	for field, otherwise := range map[*string]string{
		&o.ESP: "/efi", &o.Template: "/etc/candor/entry.conf", &o.Argument: "candor.slot", &o.Kernel: boot.KernelCommandLine,
		&o.Firmware: "/sys/firmware/efi/efivars",
	} {
		if *field == "" {
			*field = otherwise
		}
	}
	d := &Driver{o: o, dir: filepath.Join(o.ESP, "loader", "entries")}
	var err error
	if d.template, err = disk.ReadFile(o.Disk, o.Template, maxEntryBytes); err != nil {
		return nil, fmt.Errorf("template of entries: %w", err)
	}
	if err := checkTemplate(d.template, o.Argument); err != nil {
		return nil, fmt.Errorf("template of entries %s: %w", o.Template, err)
	}
	if err := d.unruled(); err != nil {
		return nil, err
	}
	_, err = d.entries()
	return d, err
}

// vendor is systemd-boot's among the firmware's variables.
const vendor = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"

// unruled demands that nothing but the order decides which entry is first.
func (d *Driver) unruled() error {
	path := filepath.Join(d.o.ESP, "loader", "loader.conf")
	conf, err := disk.ReadFile(d.o.Disk, path, maxEntryBytes)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("systemd-boot: %w", err)
	}
	for line := range bytes.Lines(conf) {
		if f := bytes.Fields(line); len(f) > 0 && (string(f[0]) == "default" || string(f[0]) == "preferred") {
			return fmt.Errorf("%w: %s sets %q; remove that line, the versions of the entries decide", ErrEntry, path, f[0])
		}
	}
	for _, name := range []string{"LoaderEntryDefault", "LoaderEntryPreferred"} {
		_, err := disk.ReadFile(d.o.Disk, filepath.Join(d.o.Firmware, name+"-"+vendor), 1)
		if err == nil {
			return fmt.Errorf("%w: the firmware's variable %s is set; clear it with `bootctl set-default \"\"`, the versions of the entries decide", ErrEntry, name)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("systemd-boot: %w", err)
		}
	}
	return nil
}

// entries reads all that systemd-boot takes for an entry of a slot.
func (d *Driver) entries() ([]entry, error) {
	names, err := d.o.Disk.List(d.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("systemd-boot: %w", err)
	}
	var out []entry
	for _, name := range names {
		e, ours, err := parseName(name)
		if !ours {
			continue
		}
		if err == nil && !slices.Contains(d.o.Slots, e.slot) {
			err = fmt.Errorf("slot %q: %w", e.slot, boot.ErrNoSlot)
		}
		var data []byte
		if err == nil {
			data, err = disk.ReadFile(d.o.Disk, filepath.Join(d.dir, name), maxEntryBytes)
		}
		if err == nil {
			e.version, err = parseVersion(data)
		}
		if err != nil {
			return nil, fmt.Errorf("entry %s: %w", filepath.Join(d.dir, name), err)
		}
		out = append(out, e)
	}
	return out, nil
}

// of gives the entries of one slot, the one that counts first: after a cut there
// may be two.
func of(s boot.Slot, all []entry) []entry {
	out := slices.DeleteFunc(slices.Clone(all), func(e entry) bool { return e.slot != s })
	slices.SortStableFunc(out, func(a, b entry) int {
		switch {
		case a.good != b.good && a.good:
			return -1
		case a.good != b.good:
			return 1
		}
		return b.left - a.left
	})
	return out
}

func good(s boot.Slot, all []entry) bool {
	mine := of(s, all)
	return len(mine) > 0 && mine[0].good
}

// Slots gives the configured slots.
func (d *Driver) Slots() ([]boot.Slot, error) { return slices.Clone(d.o.Slots), nil }

// Booted asks the kernel.
func (d *Driver) Booted() (boot.Slot, error) {
	return boot.FromKernel(d.o.Disk, d.o.Kernel, d.o.Argument, d.o.Slots)
}

// State is what the entries say of a slot.
func (d *Driver) State(s boot.Slot) (boot.State, error) {
	if !slices.Contains(d.o.Slots, s) {
		return boot.State{}, fmt.Errorf("slot %q: %w", s, boot.ErrNoSlot)
	}
	all, err := d.entries()
	if err != nil {
		return boot.State{}, err
	}
	mine := of(s, all)
	if len(mine) == 0 {
		return boot.State{}, nil
	}
	e := mine[0]
	return boot.State{Bootable: e.good || e.left > 0, Good: e.good, TriesLeft: e.left, Spent: !e.good && e.left == 0}, nil
}

// rename gives an entry another name, durably.
func (d *Driver) rename(from, to string) error {
	err := d.o.Disk.Rename(filepath.Join(d.dir, from), filepath.Join(d.dir, to))
	if err == nil {
		err = d.o.Disk.SyncDir(d.dir)
	}
	if err != nil {
		return fmt.Errorf("entry %s: %w", filepath.Join(d.dir, to), err)
	}
	return nil
}

// off hides entries from systemd-boot, the one that counts last.
func (d *Driver) off(entries []entry) error {
	for _, e := range slices.Backward(entries) {
		if err := d.rename(e.file, offName(e.slot)); err != nil {
			return err
		}
	}
	return nil
}

// write makes an entry that comes before all others. What an earlier one left
// unfinished is removed.
func (d *Driver) write(name string, s boot.Slot, all []entry) error {
	names, err := d.o.Disk.List(d.dir)
	if err != nil {
		return fmt.Errorf("systemd-boot: %w", err)
	}
	for _, n := range names {
		if strings.HasPrefix(n, prefix) && strings.HasSuffix(n, suffix+disk.Unfinished) {
			err = errors.Join(err, d.o.Disk.Remove(filepath.Join(d.dir, n)))
		}
	}
	version := uint64(0)
	for _, e := range all {
		version = max(version, e.version)
	}
	if err == nil {
		err = disk.Replace(d.o.Disk, filepath.Join(d.dir, name), text(d.template, s, version+1))
	}
	if err != nil {
		return fmt.Errorf("entry %s: %w", filepath.Join(d.dir, name), err)
	}
	return nil
}
