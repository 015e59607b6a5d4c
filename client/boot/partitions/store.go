// Package partitions keeps the images of a board's slots: block devices, or
// files of fixed size where a boot loader wants files (a kernel on an EFI system
// partition). It serves every boot driver, and completes it to what the agent
// needs of storage.
//
// Which path is which image of which slot is the integrator's word. It is
// checked again before each write: the slot is unbootable by the boot loader's
// own state, the device is large enough, nothing has it mounted, and it is not
// also one of the running slot's. The kernel refuses besides what is mounted or
// held by another driver (disk.OS opens devices exclusively to write).
//
// What is installed in a slot is a small file in a directory that both slots
// share, replaced durably.
package partitions

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/strict"
)

const maxMetadataBytes = 64 << 10

// Options of a store. Mounts and Number are the system's if empty.
type Options struct {
	Images map[manifests.Name]string // path of each, {slot} standing for the slot
	Dir    string                    // of what is known about the slots
	Disk   disk.Disk
	Mounts string                                // file in the form of /proc/self/mountinfo
	Number func(path string) (n Number, e error) // of the device behind a path
}

// Store is a boot driver with the images of its slots. It satisfies
// agent.Storage.
type Store struct {
	boot.Driver
	o Options
}

// New looks at nothing yet: a spare slot may be broken, and the handset runs.
func New(driver boot.Driver, o Options) *Store {
	if o.Mounts == "" {
		o.Mounts = "/proc/self/mountinfo"
	}
	if o.Number == nil {
		o.Number = NumberOf
	}
	return &Store{driver, o}
}

// Image is the path of one image of a slot; empty if there is no such image.
func (s *Store) Image(slot boot.Slot, image manifests.Name) string {
	return strings.ReplaceAll(s.o.Images[image], "{slot}", string(slot))
}

// Fits demands the images of the configuration, no more and no less, and a
// place large enough for each.
func (s *Store) Fits(slot boot.Slot, images []boot.Image) error {
	var missing []string
	for name := range s.o.Images {
		if !slices.ContainsFunc(images, func(m boot.Image) bool { return m.Name == name }) {
			missing = append(missing, string(name))
		}
	}
	if slices.Sort(missing); len(missing) > 0 {
		return fmt.Errorf("image %s, which each slot of this handset has, is missing: %w", strings.Join(missing, ", "), boot.ErrMisfit)
	}
	for _, m := range images {
		path := s.Image(slot, m.Name)
		if path == "" {
			return fmt.Errorf("image %s has no partition in slot %s: %w", m.Name, slot, boot.ErrMisfit)
		}
		f, err := s.open(path, disk.Read, m)
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return fmt.Errorf("image %s: %w", m.Name, err)
		}
	}
	return nil
}

// open opens a path that is large enough for an image.
func (s *Store) open(path string, mode disk.Mode, m boot.Image) (disk.File, error) {
	f, err := s.o.Disk.Open(path, mode)
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", m.Name, err)
	}
	size, err := f.Size()
	if err == nil && size < m.Size {
		err = fmt.Errorf("it has %d bytes, and %s has room for %d: %w", m.Size, path, size, boot.ErrMisfit)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("image %s: %w", m.Name, err), f.Close())
	}
	return f, nil
}

// OpenForWrite opens the place of an image of an unbootable slot.
func (s *Store) OpenForWrite(slot boot.Slot, image manifests.Name, size int64) (disk.File, error) {
	state, err := s.State(slot)
	if err != nil {
		return nil, err
	}
	path := s.Image(slot, image)
	switch {
	case state.Bootable:
		return nil, fmt.Errorf("write slot %q: it is bootable; mark it unbootable first", slot)
	case path == "":
		return nil, fmt.Errorf("write slot %q: image %s has no partition: %w", slot, image, boot.ErrMisfit)
	}
	if err := s.free(path); err != nil {
		return nil, fmt.Errorf("write slot %q, image %s: %w", slot, image, err)
	}
	f, err := s.open(path, disk.Write, boot.Image{Name: image, Size: size})
	if err != nil {
		return nil, fmt.Errorf("write slot %q: %w", slot, err)
	}
	return f, nil
}

// Holds tells whether a slot holds exactly these bytes of an image, as a factory
// means it to.
func (s *Store) Holds(slot boot.Slot, want boot.Image) error {
	path := s.Image(slot, want.Name)
	if path == "" {
		return fmt.Errorf("image %s has no partition: %w", want.Name, boot.ErrMisfit)
	}
	got, err := boot.MeasureFirst(s.o.Disk, want.Name, path, want.Size)
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("image %s: %s does not hold it; its first %d bytes have sha256 %s, not %s", want.Name, path, got.Size, got.SHA256.Short(), want.SHA256.Short())
	}
	return nil
}

func (s *Store) about(slot boot.Slot) string {
	return filepath.Join(s.o.Dir, string(slot)+".json")
}

// Metadata tells what is installed in a slot; the zero value when nothing is.
// What a newer version of this program wrote beside it is no error.
func (s *Store) Metadata(slot boot.Slot) (boot.Metadata, error) {
	var m boot.Metadata
	data, err := disk.ReadFile(s.o.Disk, s.about(slot), maxMetadataBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err == nil {
		_, err = strict.DecodeKept(data, maxMetadataBytes, &m)
	}
	if err != nil {
		return boot.Metadata{}, fmt.Errorf("what slot %q holds: %s: %w", slot, s.about(slot), err)
	}
	return m, nil
}

// SetMetadata records what is installed in a slot.
func (s *Store) SetMetadata(slot boot.Slot, m boot.Metadata) error {
	data, err := strict.Canonical(m.Whole())
	if err == nil {
		err = s.o.Disk.MkdirAll(s.o.Dir)
	}
	if err == nil {
		err = disk.Replace(s.o.Disk, s.about(slot), data)
	}
	if err != nil {
		return fmt.Errorf("what slot %q holds: %w", slot, err)
	}
	return nil
}
