package partitions_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/boot/partitions"
	"github.com/candor-ota/candor/client/boot/sim"
	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/manifests"
)

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// board is a store of four partitions, which are files to which the test gives
// device numbers, beside the simulated boot loader. Slot a runs.
type board struct {
	*partitions.Store
	dir     string
	numbers map[string]partitions.Number // by file name
}

const partitionBytes = 4096

func newBoard(t *testing.T) *board {
	t.Helper()
	b := &board{dir: t.TempDir(), numbers: map[string]partitions.Number{}}
	for i, name := range []string{"system_a", "system_b", "boot_a", "boot_b"} {
		must(t, os.WriteFile(b.path(name), make([]byte, partitionBytes), 0o600))
		b.numbers[name] = partitions.Number{Major: 179, Minor: uint32(i + 1)}
	}
	must(t, sim.Create(b.path("loader"), map[manifests.Name]string{"system": b.path("system_a")}, boot.Metadata{Product: "phone", Build: 41}))
	loader, err := sim.Open(b.path("loader"))
	must(t, err)
	b.mounts(t, "179:1")
	b.Store = partitions.New(loader, partitions.Options{
		Images: map[manifests.Name]string{"system": b.path("system_{slot}"), "boot": b.path("boot_{slot}")},
		Dir:    b.path("slots"), Disk: disk.OS{}, Mounts: b.path("mountinfo"),
		Number: func(path string) (partitions.Number, error) {
			n, ok := b.numbers[filepath.Base(path)]
			if !ok {
				return n, fmt.Errorf("%s: no such device", path)
			}
			return n, nil
		},
	})
	return b
}

func (b *board) path(name string) string { return filepath.Join(b.dir, name) }

func (b *board) mounts(t *testing.T, devices ...string) {
	t.Helper()
	text := "21 1 0:20 / /proc rw,nosuid - proc proc rw\n"
	for _, d := range devices {
		text += "22 1 " + d + " / /mnt/at\\040" + strings.ReplaceAll(d, ":", "-") + " ro shared:1 - ext4 /dev/x ro\n"
	}
	must(t, os.WriteFile(b.path("mountinfo"), []byte(text), 0o600))
}

func TestImagesOfAnUnbootableSlotAreWrittenWhereTheConfigurationSays(t *testing.T) {
	b := newBoard(t)
	for _, name := range []manifests.Name{"system", "boot"} {
		f, err := b.OpenForWrite("b", name, 100)
		must(t, err)
		_, err = f.WriteAt([]byte(name), 0)
		must(t, err, f.Sync(), f.Close())
		if got, err := os.ReadFile(b.Image("b", name)); err != nil || !strings.HasPrefix(string(got), string(name)) || len(got) != partitionBytes {
			t.Errorf("%s: %d bytes, %.10q, %v", b.Image("b", name), len(got), got, err)
		}
	}
}

func TestBootableSlotIsNotWritten(t *testing.T) {
	b := newBoard(t)
	for _, slot := range []boot.Slot{"a", "c"} {
		if _, err := b.OpenForWrite(slot, "system", 1); err == nil {
			t.Errorf("slot %s was opened", slot)
		}
	}
	must(t, b.Arm("b", 1))
	if _, err := b.OpenForWrite("b", "system", 1); err == nil || !strings.Contains(err.Error(), "bootable") {
		t.Fatalf("an armed slot: %v", err)
	}
}

func TestMountedPartitionIsNotWritten(t *testing.T) {
	b := newBoard(t)
	b.mounts(t, "179:1", "179:2")
	_, err := b.OpenForWrite("b", "system", 1)
	if !errors.Is(err, partitions.ErrMounted) || !strings.Contains(err.Error(), "system_b") || !strings.Contains(err.Error(), "/mnt/at") {
		t.Fatalf("got %v", err)
	}
	f, err := b.OpenForWrite("b", "boot", 1)
	must(t, err)
	must(t, f.Close())
	must(t, os.WriteFile(b.path("mountinfo"), []byte("nonsense\n"), 0o600))
	if _, err := b.OpenForWrite("b", "boot", 1); err == nil {
		t.Fatal("written without knowing what is mounted")
	}
}

func TestPartitionOfTheRunningSlotIsNotWrittenByAnotherName(t *testing.T) {
	b := newBoard(t)
	b.numbers["system_b"] = b.numbers["boot_a"] // a label that points to the wrong partition
	if _, err := b.OpenForWrite("b", "system", 1); !errors.Is(err, partitions.ErrRunning) || !strings.Contains(err.Error(), "image boot of slot a") {
		t.Fatalf("got %v", err)
	}
	if err := b.Check(); err == nil || !strings.Contains(err.Error(), "are one device") {
		t.Fatalf("got %v", err)
	}
}

func TestReleaseFitsOrIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	b := newBoard(t)
	image := func(name manifests.Name, size int64) boot.Image { return boot.Image{Name: name, Size: size} }
	for name, c := range map[string]struct {
		images []boot.Image
		want   string
	}{
		"whole":     {[]boot.Image{image("system", partitionBytes), image("boot", 1)}, ""},
		"missing":   {[]boot.Image{image("system", 1)}, "image boot, which each slot"},
		"no place":  {[]boot.Image{image("system", 1), image("boot", 1), image("modem", 1)}, "image modem has no partition"},
		"too large": {[]boot.Image{image("system", partitionBytes+1), image("boot", 1)}, "room for 4096"},
	} {
		err := b.Fits("b", c.images)
		if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, boot.ErrMisfit) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := b.OpenForWrite("b", "system", partitionBytes+1); !errors.Is(err, boot.ErrMisfit) {
		t.Errorf("a partition that is too small: %v", err)
	}
	if _, err := b.OpenForWrite("b", "modem", 1); !errors.Is(err, boot.ErrMisfit) {
		t.Errorf("an image without a partition: %v", err)
	}
}

func TestFactoryImageIsComparedWithThePartition(t *testing.T) {
	b := newBoard(t)
	must(t, os.WriteFile(b.path("flashed"), []byte("factory"), 0o600))
	want, err := boot.Measure(disk.OS{}, "system", b.path("flashed"))
	must(t, err)
	if err := b.Holds("a", want); err == nil || !strings.Contains(err.Error(), "does not hold it") {
		t.Fatalf("got %v", err)
	}
	f, err := os.OpenFile(b.path("system_a"), os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteString("factory")
	must(t, err, f.Close(), b.Holds("a", want))
}

func TestWhatASlotHoldsIsKeptForBothSlots(t *testing.T) {
	b := newBoard(t)
	if m, err := b.Metadata("b"); err != nil || m.Build != 0 {
		t.Fatal(m, err)
	}
	want := boot.Metadata{Product: "phone", Build: 42, Version: "next", Images: []boot.Image{{Name: "system", Size: 7}}}
	must(t, b.SetMetadata("b", want))
	if m, err := b.Metadata("b"); err != nil || m.Build != 42 || len(m.Images) != 1 || m.Images[0] != want.Images[0] {
		t.Fatal(m, err)
	}
	must(t, os.WriteFile(b.path("slots/b.json"), []byte("{"), 0o600))
	if _, err := b.Metadata("b"); err == nil || !strings.Contains(err.Error(), "b.json") {
		t.Fatal(err)
	}
}

func TestConfigurationIsCheckedAsAWhole(t *testing.T) {
	b := newBoard(t)
	must(t, b.Check())
	must(t, os.Remove(b.path("boot_b")), os.Remove(b.path("system_b")))
	if err := b.Check(); err == nil || !strings.Contains(err.Error(), "boot_b") || !strings.Contains(err.Error(), "system_b") {
		t.Fatalf("got %v", err)
	}
}

func TestFileIsNoDevice(t *testing.T) {
	n, err := partitions.NumberOf(filepath.Join(newBoard(t).dir, "mountinfo"))
	if err != nil || n != (partitions.Number{}) {
		t.Fatal(n, err)
	}
	if _, err := partitions.NumberOf("/nonexistent"); !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}
