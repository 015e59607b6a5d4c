package uboot_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/boot/uboot"
	"github.com/candor-ota/candor/client/disk"
)

const copyBytes = 0x200 // of one copy of the environment

var errBricked = errors.New("boot.cmd came to altbootcmd: no slot may boot")

// machine is a board whose environment is a file that the real fw_setenv and
// fw_printenv use, and whose U-Boot is the shell that runs the real boot.cmd.
type machine struct {
	*uboot.Driver
	dir string
}

func (m *machine) path(name string) string { return filepath.Join(m.dir, name) }

func options(dir string) uboot.Options {
	return uboot.Options{
		Slots: []boot.Slot{"a", "b"}, Config: filepath.Join(dir, "fw_env.config"), Kernel: filepath.Join(dir, "cmdline"), Disk: disk.OS{},
	}
}

// blank makes a board whose environment knows no slots yet.
func blank(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	env := filepath.Join(dir, "env")
	for path, data := range map[string]string{
		env:                                 strings.Repeat("\xff", 2*copyBytes),
		filepath.Join(dir, "fw_env.config"): fmt.Sprintf("# two copies\n%s 0x0 %#x\n%s %#x %#x\n", env, copyBytes, env, copyBytes, copyBytes),
		filepath.Join(dir, "default"):       "bootdelay=2\n",
		filepath.Join(dir, "cmdline"):       "quiet ro candor.slot=a\n",
	} {
		write(t, path, data)
	}
	for range 2 { // both copies
		tool(t, dir, "fw_setenv", "-f", filepath.Join(dir, "default"), "bootcmd", "run distro_bootcmd")
	}
	return dir
}

func write(t *testing.T, path, data string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

func tool(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, append([]string{"-c", filepath.Join(dir, "fw_env.config")}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", name, err, out)
	}
	return string(out)
}

func open(t *testing.T, dir string) *machine {
	t.Helper()
	d, err := uboot.Open(options(dir))
	if err != nil {
		t.Fatal(err)
	}
	return &machine{d, dir}
}

func fresh(t *testing.T) *machine {
	t.Helper()
	m := open(t, blank(t))
	if err := m.Provision("a"); err != nil {
		t.Fatal(err)
	}
	return m
}

// Boot is the power button.
func (m *machine) Boot() (boot.Slot, error) {
	cmd := exec.Command("/bin/sh", "testdata/hush.sh", m.path("fw_env.config"), "./boot.cmd", m.path("cmdline"))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 3 {
		return "", errBricked
	}
	if err != nil {
		return "", fmt.Errorf("boot.cmd: %w: %s", err, out)
	}
	return m.Booted()
}
