package sim

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"

	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/strict"
)

const maxEnvBytes = 64 << 10

// env is what the boot loader keeps.
type env struct {
	Booted boot.Slot          `json:"booted"` // chosen by the last Boot
	First  boot.Slot          `json:"first"`  // tried first at the next one
	Slots  map[string]slotEnv `json:"slots"`
	Boots  int64              `json:"boots"` // for people

	kept strict.Kept // of a newer version of this program
}

type slotEnv struct {
	Bootable bool `json:"bootable"`
	Good     bool `json:"good"`
	Tries    int  `json:"tries"`
	Spent    bool `json:"spent,omitempty"`
}

// Sim is the driver. It satisfies boot.Driver.
type Sim struct {
	dir  string
	disk disk.Disk
}

var _ boot.Driver = (*Sim)(nil)

// Open opens a directory that Create made.
func Open(dir string) (*Sim, error) { return OpenOn(disk.OS{}, dir) }

// OpenOn is Open on a disk other than this machine's.
func OpenOn(d disk.Disk, dir string) (*Sim, error) {
	s := &Sim{dir: dir, disk: d}
	if _, err := s.load(); err != nil {
		return nil, err
	}
	return s, nil
}

// Create makes slots a and b. Slot a holds the factory images, by name, linked
// where the filesystem can, and is marked good; b is empty. The images are
// measured; what m says of them is not looked at.
func Create(dir string, images map[manifests.Name]string, m boot.Metadata) error {
	return CreateOn(disk.OS{}, dir, images, m)
}

// CreateOn is Create on a disk other than this machine's.
func CreateOn(d disk.Disk, dir string, images map[manifests.Name]string, m boot.Metadata) error {
	if err := Vacant(d, dir); err != nil {
		return err
	}
	if err := d.MkdirAll(dir); err != nil {
		return fmt.Errorf("simulated slots: %w", err)
	}
	s := &Sim{dir: dir, disk: d}
	m.Images = nil
	for _, name := range slices.Sorted(maps.Keys(images)) {
		image, err := boot.Measure(d, name, images[name])
		if err == nil {
			err = s.factory(images[name], s.Image("a", name))
		}
		if err != nil {
			return fmt.Errorf("simulated slots: %w", err)
		}
		m.Images = append(m.Images, image)
	}
	if err := s.SetMetadata("a", m); err != nil {
		return err
	}
	return s.save(&env{Booted: "a", First: "a", Slots: map[string]slotEnv{"a": {Bootable: true, Good: true}, "b": {}}})
}

// Vacant refuses a directory in which Create made a handset, or in which
// something stands that says so and cannot be read.
func Vacant(d disk.Disk, dir string) error {
	if _, err := (&Sim{dir: dir, disk: d}).load(); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("simulated slots: %s is a handset already", dir)
	}
	return nil
}

// factory gives an image another name, or makes a copy of it.
func (s *Sim) factory(image, to string) error {
	if d, ok := s.disk.(interface{ Link(from, to string) error }); ok && d.Link(image, to) == nil {
		return nil
	}
	in, err := s.disk.Open(image, disk.Read)
	if err != nil {
		return err
	}
	size, err := in.Size()
	if err != nil {
		return errors.Join(err, in.Close())
	}
	out, err := s.disk.Create(to, size)
	if err != nil {
		return errors.Join(err, in.Close())
	}
	_, err = io.Copy(io.NewOffsetWriter(out, 0), io.NewSectionReader(in, 0, size))
	return errors.Join(err, out.Sync(), out.Close(), in.Close())
}

func (s *Sim) path(name string) string { return filepath.Join(s.dir, name) }

// Image is the path of one image of a slot.
func (s *Sim) Image(slot boot.Slot, image manifests.Name) string {
	return s.path(string(slot) + "." + string(image) + ".img")
}

func (s *Sim) load() (*env, error) {
	var e env
	var err error
	if e.kept, err = s.read("boot.json", &e); err != nil {
		return nil, err
	}
	if _, ok := e.Slots[string(e.Booted)]; !ok {
		return nil, fmt.Errorf("boot environment %s: booted slot %q: %w", s.path("boot.json"), e.Booted, boot.ErrNoSlot)
	}
	return &e, nil
}

func (s *Sim) read(name string, into any) (strict.Kept, error) {
	data, err := disk.ReadFile(s.disk, s.path(name), maxEnvBytes)
	if err != nil {
		return strict.Kept{}, fmt.Errorf("boot environment: %w", err)
	}
	kept, err := strict.DecodeKept(data, maxEnvBytes, into)
	if err != nil {
		return kept, fmt.Errorf("boot environment %s: %w", s.path(name), err)
	}
	return kept, nil
}

func (s *Sim) save(e *env) error { return s.write("boot.json", e.kept, e) }

// write replaces a file durably: synced before it takes the name.
func (s *Sim) write(name string, kept strict.Kept, v any) error {
	data, err := kept.Canonical(v)
	if err != nil {
		return fmt.Errorf("boot environment: %w", err)
	}
	if err := disk.Replace(s.disk, s.path(name), data); err != nil {
		return fmt.Errorf("boot environment %s: %w", s.path(name), err)
	}
	return nil
}

// Metadata tells what is installed in a slot; the zero value when nothing is.
func (s *Sim) Metadata(slot boot.Slot) (boot.Metadata, error) {
	var m boot.Metadata
	_, err := s.read(string(slot)+".json", &m)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	return m, err
}

// SetMetadata records what is installed in a slot.
func (s *Sim) SetMetadata(slot boot.Slot, m boot.Metadata) error {
	return s.write(string(slot)+".json", strict.Kept{}, m.Whole())
}
