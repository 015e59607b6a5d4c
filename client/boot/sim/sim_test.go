package sim_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/boot/boottest"
	"github.com/candor-ota/candor/client/boot/sim"
	"github.com/candor-ota/candor/manifests"
)

func handset(t *testing.T) (dir, factory string) {
	t.Helper()
	factory = filepath.Join(t.TempDir(), "factory.img")
	if err := os.WriteFile(factory, []byte("factory image"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(filepath.Dir(factory), "slots")
	if err := sim.Create(dir, map[manifests.Name]string{"system": factory}, boot.Metadata{Product: "phone", Build: 41}); err != nil {
		t.Fatal(err)
	}
	return dir, factory
}

func open(t *testing.T, dir string) *sim.Sim {
	t.Helper()
	s, err := sim.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSimulatorConforms(t *testing.T) {
	dirs := map[boottest.Machine]string{}
	boottest.Run(t, func(t *testing.T) boottest.Machine {
		dir, _ := handset(t)
		m := open(t, dir)
		dirs[m] = dir
		return m
	}, func(t *testing.T, old boottest.Machine) boottest.Machine {
		m := open(t, dirs[old])
		dirs[m] = dirs[old]
		return m
	})
}

func TestSharedFactoryImageIsNeverWritten(t *testing.T) {
	dir, factory := handset(t)
	s := open(t, dir)
	if _, err := s.OpenForWrite("a", "system", 13); err == nil || !strings.Contains(err.Error(), "bootable") {
		t.Fatalf("the running slot was opened for writing: %v", err)
	}
	if err := s.Arm("b", 1); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Boot(); err != nil {
		t.Fatal(err)
	}
	if err := s.MarkGood("b"); err != nil {
		t.Fatal(err)
	}
	if err := s.MarkUnbootable("a"); err != nil {
		t.Fatal(err)
	}
	f, err := s.OpenForWrite("a", "system", 13)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("new"), 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(factory); err != nil || string(b) != "factory image" {
		t.Fatalf("the shared image became %q, %v", b, err)
	}
	again, err := s.OpenForWrite("a", "system", 13) // what was written stays, for a resume
	if err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 3)
	if _, err := again.ReadAt(head, 0); err != nil || string(head) != "new" {
		t.Fatalf("after reopening the slot holds %q, %v", head, err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedEnvironmentIsAClearError(t *testing.T) {
	dir, _ := handset(t)
	for _, damage := range []string{"", "{", `{"booted":"c","first":"a","slots":{},"boots":0}`} {
		if err := os.WriteFile(filepath.Join(dir, "boot.json"), []byte(damage), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := sim.Open(dir); err == nil || !strings.Contains(err.Error(), "boot.json") {
			t.Errorf("%q: %v", damage, err)
		}
	}
}

func TestMetadataSurvives(t *testing.T) {
	dir, _ := handset(t)
	m, err := open(t, dir).Metadata("a")
	if err != nil || m.Build != 41 || m.Product != "phone" {
		t.Fatal(m, err)
	}
	if m, err := open(t, dir).Metadata("b"); err != nil || m.Build != 0 {
		t.Fatal(m, err)
	}
}
