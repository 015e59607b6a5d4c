package boot

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/candor-ota/candor/client/disk"
)

// KernelCommandLine is where Linux shows with which arguments it was started.
const KernelCommandLine = "/proc/cmdline"

const maxCommandLine = 64 << 10

// FromKernel tells which of the slots runs: the one that the boot loader named
// on the kernel's command line, as in candor.slot=a. Absent, named twice or
// unknown is an error; nothing is guessed.
func FromKernel(d disk.Disk, path, argument string, slots []Slot) (Slot, error) {
	f, err := d.Open(path, disk.Read)
	if err != nil {
		return "", fmt.Errorf("running slot: %w", err)
	}
	data := make([]byte, maxCommandLine+1)
	n, err := f.ReadAt(data, 0) // the file has no size
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("running slot: %w", err)
	}
	if n > maxCommandLine {
		return "", fmt.Errorf("running slot: %s has more than %d bytes", path, maxCommandLine)
	}
	slot, err := fromCommandLine(string(data[:n]), argument, slots)
	if err != nil {
		return "", fmt.Errorf("running slot: %s: %w", path, err)
	}
	return slot, nil
}

// fromCommandLine looks before a lone "--": what follows is for init.
func fromCommandLine(line, argument string, slots []Slot) (Slot, error) {
	var found []Slot
	for _, word := range strings.Fields(line) {
		if word == "--" {
			break
		}
		if value, ok := strings.CutPrefix(word, argument+"="); ok {
			found = append(found, Slot(value))
		}
	}
	switch {
	case len(found) != 1:
		return "", fmt.Errorf("argument %s is there %d times; the boot loader must set it once", argument, len(found))
	case !slices.Contains(slots, found[0]):
		return "", fmt.Errorf("argument %s names %.40q: %w", argument, string(found[0]), ErrNoSlot)
	}
	return found[0], nil
}
