package agent

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/candor-ota/candor/manifests"
)

// The boot loaders that a handset may have.
const (
	Simulator   = "simulator"
	UBoot       = "uboot"
	SystemdBoot = "systemd-boot"
)

// Boot says which boot loader a handset has, and where its slots a and b are.
// Fields of another boot loader are refused.
type Boot struct {
	Driver string `json:"driver,omitempty"` // default simulator
	// Images are the images that make up each slot: by name, the path of a
	// partition (or file of fixed size), in which {slot} stands for a or b.
	Images map[manifests.Name]string `json:"images,omitempty"`
	// Argument is how the boot loader names the slot to the kernel. Default
	// candor.slot.
	Argument string `json:"argument,omitempty"`
	// CommandLine is where the kernel shows it. Default /proc/cmdline.
	CommandLine string `json:"commandLine,omitempty"`
	// Reboot restarts the handset. Default systemctl reboot.
	Reboot []string `json:"reboot,omitempty"`

	// Environment (uboot) is the configuration of fw_setenv. Default
	// /etc/fw_env.config.
	Environment string `json:"environment,omitempty"`
	// Prefix (uboot) begins the names of the variables. Default BOOT_.
	Prefix string `json:"prefix,omitempty"`

	// ESP (systemd-boot) is where the EFI system partition is mounted. Default
	// /efi.
	ESP string `json:"esp,omitempty"`
	// Entry (systemd-boot) is the template of an entry. Default
	// /etc/candor/entry.conf.
	Entry string `json:"entry,omitempty"`
}

// Simulated tells whether the boot loader is the simulator, which restarts
// within the program.
func (b *Boot) Simulated() bool { return b.Driver == Simulator }

func (b *Boot) fill() {
	if b.Driver == "" {
		b.Driver = Simulator
	}
	if len(b.Reboot) == 0 && !b.Simulated() {
		b.Reboot = []string{"systemctl", "reboot"}
	}
}

// resolve makes paths that are relative to the configuration absolute.
func (b *Boot) resolve(base string) {
	absolute := func(path string) string {
		if path != "" && !filepath.IsAbs(path) {
			return filepath.Join(base, path)
		}
		return path
	}
	for _, p := range []*string{&b.CommandLine, &b.Environment, &b.ESP, &b.Entry} {
		*p = absolute(*p)
	}
	for name, path := range b.Images {
		b.Images[name] = absolute(path)
	}
}

// check finds all that is wrong. slots is the directory of the simulator.
func (b *Boot) check(slots string) error {
	var errs []error
	of := map[string]string{ // field, and whose it is
		"environment": UBoot, "prefix": UBoot, "esp": SystemdBoot, "entry": SystemdBoot,
	}
	set := map[string]bool{"environment": b.Environment != "", "prefix": b.Prefix != "", "esp": b.ESP != "", "entry": b.Entry != ""}
	for _, field := range slices.Sorted(maps.Keys(of)) {
		if set[field] && of[field] != b.Driver {
			errs = append(errs, fmt.Errorf(`field "boot.%s" is of driver %s, and the driver is %.40q`, field, of[field], b.Driver))
		}
	}
	switch b.Driver {
	case Simulator:
		return errors.Join(append(errs, b.checkSimulator(slots))...)
	case UBoot, SystemdBoot:
		return errors.Join(append(errs, b.checkBoard(slots))...)
	}
	return errors.Join(append(errs, fmt.Errorf(`field "boot.driver": %.40q is none of %s, %s and %s`, b.Driver, Simulator, UBoot, SystemdBoot))...)
}

func (b *Boot) checkSimulator(slots string) error {
	var errs []error
	if slots == "" {
		errs = append(errs, errors.New(`field "slots": the simulator needs a directory; a board needs "boot.driver"`))
	}
	if len(b.Images) > 0 || b.Argument != "" || b.CommandLine != "" || len(b.Reboot) > 0 {
		errs = append(errs, errors.New(`field "boot": the simulator takes no "images", "argument", "commandLine" or "reboot"`))
	}
	return errors.Join(errs...)
}

func (b *Boot) checkBoard(slots string) error {
	var errs []error
	if slots != "" {
		errs = append(errs, errors.New(`field "slots" is the simulator's; a board's are in "boot.images"`))
	}
	if len(b.Images) == 0 {
		errs = append(errs, errors.New(`field "boot.images": name the images of a slot, such as system: /dev/disk/by-partlabel/system_{slot}`))
	}
	for _, name := range slices.Sorted(maps.Keys(b.Images)) {
		if !strings.Contains(b.Images[name], "{slot}") {
			errs = append(errs, fmt.Errorf(`field "boot.images.%s": %s is the same for both slots; write {slot} where a or b stands`, name, b.Images[name]))
		}
	}
	if strings.ContainsAny(b.Argument, " =\t") {
		errs = append(errs, errors.New(`field "boot.argument" is a name, such as candor.slot`))
	}
	if strings.ContainsAny(b.Prefix, " =\n") {
		errs = append(errs, errors.New(`field "boot.prefix" is the beginning of a name, such as BOOT_`))
	}
	if len(b.Reboot) == 0 || b.Reboot[0] == "" {
		errs = append(errs, errors.New(`field "boot.reboot": name a program`))
	}
	return errors.Join(errs...)
}
