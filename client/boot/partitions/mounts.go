package partitions

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/disk"
)

// Number names a block device to the kernel; the zero value is no such device.
type Number struct{ Major, Minor uint32 }

// The refusals of a device. They mean a mistake in the configuration.
var (
	ErrMounted = errors.New("it is mounted")
	ErrRunning = errors.New("it is also one of the running slot's")
)

const maxMountBytes = 4 << 20

// free demands that nothing uses what is about to be written.
func (s *Store) free(path string) error {
	device, err := s.o.Number(path)
	if err != nil {
		return err
	}
	if err := s.notRunning(path, device); err != nil {
		return err
	}
	if device == (Number{}) {
		return nil // a file of fixed size
	}
	f, err := s.o.Disk.Open(s.o.Mounts, disk.Read)
	if err != nil {
		return fmt.Errorf("mounts: %w", err)
	}
	data := make([]byte, maxMountBytes)
	n, err := f.ReadAt(data, 0) // the file has no size
	if n < maxMountBytes && errors.Is(err, io.EOF) {
		err = nil
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("mounts: %s: %w", s.o.Mounts, err)
	}
	if n == maxMountBytes {
		return fmt.Errorf("mounts: %s has more than %d bytes", s.o.Mounts, maxMountBytes)
	}
	switch at, err := mounted(data[:n], device); {
	case err != nil:
		return fmt.Errorf("mounts: %s: %w", s.o.Mounts, err)
	case at != "":
		return fmt.Errorf("%s: %w at %s", path, ErrMounted, at)
	}
	return nil
}

// notRunning demands that a path is none of the running slot's by another name.
func (s *Store) notRunning(path string, device Number) error {
	running, err := s.Booted()
	if err != nil {
		return err
	}
	for name := range s.o.Images {
		other := s.Image(running, name)
		n, err := s.o.Number(other)
		if err != nil {
			return err
		}
		if other == path || n == device && n != (Number{}) {
			return fmt.Errorf("%s: %w (image %s of slot %s)", path, ErrRunning, name, running)
		}
	}
	return nil
}

// mounted tells where a device is mounted, from the lines of
// /proc/self/mountinfo (proc(5)): the third field is the device, the fifth the
// place, as the kernel escapes it.
func mounted(info []byte, device Number) (string, error) {
	for line := range bytes.Lines(info) {
		f := bytes.Fields(line)
		if len(f) < 6 {
			return "", fmt.Errorf("a line of %d fields", len(f))
		}
		n, err := parseNumber(f[2])
		if err != nil {
			return "", err
		}
		if n == device {
			return string(f[4]), nil
		}
	}
	return "", nil
}

func parseNumber(text []byte) (Number, error) {
	major, minor, ok := bytes.Cut(text, []byte(":"))
	a, err := strconv.ParseUint(string(major), 10, 32)
	b, berr := strconv.ParseUint(string(minor), 10, 32)
	if !ok || err != nil || berr != nil {
		return Number{}, fmt.Errorf("device %.40q is not like 179:2", text)
	}
	return Number{uint32(a), uint32(b)}, nil
}

// Check looks at the whole configuration: the places of all images of all slots
// are there, and no two are one. All that is wrong is reported at once.
func (s *Store) Check() error {
	all, err := s.Slots()
	if err != nil {
		return err
	}
	seen := map[Number]string{}
	var errs []error
	for _, slot := range all {
		for _, name := range slices.Sorted(maps.Keys(s.o.Images)) {
			path := s.Image(slot, name)
			f, err := s.open(path, disk.Read, boot.Image{Name: name})
			if err != nil {
				errs = append(errs, err)
				continue
			}
			n, err := s.o.Number(path)
			if other := seen[n]; other != "" && n != (Number{}) {
				err = fmt.Errorf("image %s: %s and %s are one device", name, other, path)
			}
			seen[n] = path
			errs = append(errs, err, f.Close())
		}
	}
	return errors.Join(errs...)
}
