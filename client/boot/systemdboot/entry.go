package systemdboot

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/candor-ota/candor/client/boot"
)

const (
	prefix        = "candor-"
	suffix        = ".conf"
	maxEntryBytes = 16 << 10
	// maxVersion is far more updates than a handset sees, and far from overflow.
	maxVersion = 1 << 48
)

// ErrEntry is a file of the boot loader that this driver does not understand.
var ErrEntry = errors.New("the entries of systemd-boot are not as they should be")

// entry is a file that systemd-boot reads as an entry of a slot.
type entry struct {
	file    string
	slot    boot.Slot
	good    bool // no counter
	left    int
	version uint64
}

var entryName = regexp.MustCompile(`^candor-([a-z0-9]{1,16})(?:\+([0-9]{1,2})(?:-([0-9]{1,2}))?)?\.conf$`)

// parseName reads the name of an entry; false if it is none of ours.
func parseName(file string) (e entry, ours bool, err error) {
	if !strings.HasPrefix(file, prefix) || !strings.HasSuffix(file, suffix) {
		return e, false, nil
	}
	m := entryName.FindStringSubmatch(file)
	if m == nil {
		return e, true, fmt.Errorf("%w: the name %.80q", ErrEntry, file)
	}
	e = entry{file: file, slot: boot.Slot(m[1]), good: m[2] == ""}
	if !e.good {
		if e.left, err = strconv.Atoi(m[2]); err != nil || e.left > boot.MaxTries {
			return e, true, fmt.Errorf("%w: the name %.80q has more than %d tries", ErrEntry, file, boot.MaxTries)
		}
	}
	return e, true, nil
}

func goodName(s boot.Slot) string { return prefix + string(s) + suffix }

func armedName(s boot.Slot, tries int) string {
	return fmt.Sprintf("%s%s+%d%s", prefix, s, tries, suffix)
}

func offName(s boot.Slot) string { return prefix + string(s) + ".off" }

// parseVersion reads the version of an entry's text, by which it is sorted.
func parseVersion(text []byte) (uint64, error) {
	if len(text) > maxEntryBytes {
		return 0, fmt.Errorf("%w: more than %d bytes", ErrEntry, maxEntryBytes)
	}
	var found []string
	for line := range bytes.Lines(text) {
		if f := bytes.Fields(line); len(f) > 0 && string(f[0]) == "version" {
			found = append(found, string(bytes.Join(f[1:], []byte(" "))))
		}
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("%w: %d lines say a version; one is needed", ErrEntry, len(found))
	}
	v, err := strconv.ParseUint(found[0], 10, 64)
	if err != nil || v > maxVersion {
		return 0, fmt.Errorf("%w: the version %.40q; it is a number that this driver counts", ErrEntry, found[0])
	}
	return v, nil
}

// checkTemplate refuses a template that would not boot the slot that it is for,
// or not say so to the agent.
func checkTemplate(text []byte, argument string) error {
	if len(text) > maxEntryBytes/2 {
		return fmt.Errorf("it has more than %d bytes", maxEntryBytes/2)
	}
	starts, says := false, false
	for line := range bytes.Lines(text) {
		f := strings.Fields(string(line))
		if len(f) == 0 {
			continue
		}
		switch f[0] {
		case "version", "sort-key", "machine-id":
			return fmt.Errorf("it has a line %q, which the driver sets or which would change the order", f[0])
		case "linux", "efi":
			starts = true
		case "options":
			for _, word := range f[1:] {
				says = says || word == argument+"={slot}"
			}
		}
	}
	switch {
	case !starts:
		return errors.New(`it has no line "linux" or "efi"`)
	case !says:
		return fmt.Errorf(`its "options" lack %s={slot}, from which the agent knows which slot runs`, argument)
	}
	return nil
}

// text is the content of an entry.
func text(template []byte, s boot.Slot, version uint64) []byte {
	out := fmt.Appendf(nil, "sort-key candor\nversion %d\n", version)
	return append(out, bytes.ReplaceAll(template, []byte("{slot}"), []byte(s))...)
}
