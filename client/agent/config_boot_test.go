package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func loadBoot(t *testing.T, boot string) (*Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "client.yaml")
	text := "product: phone\nmodel: m1\nservers: [https://updates.example.org]\nstate: state\n" + boot
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return LoadConfig(path)
}

func TestBootLoaderIsTheSimulatorUnlessSaidOtherwise(t *testing.T) {
	c, err := loadBoot(t, "slots: slots\n")
	if err != nil || !c.Boot.Simulated() || c.Boot.Driver != Simulator || c.Boot.Reboot != nil {
		t.Fatalf("%+v, %v", c, err)
	}
}

func TestBoardIsConfiguredWithItsPartitions(t *testing.T) {
	c, err := loadBoot(t, "boot: {driver: uboot, images: {system: /dev/disk/by-partlabel/system_{slot}, boot: 'boot_{slot}'}, environment: fw_env.config}\n")
	if err == nil {
		t.Fatalf("a brace that YAML reads otherwise was taken: %+v", c.Boot)
	}
	c, err = loadBoot(t, "boot: {driver: uboot, images: {system: '/dev/disk/by-partlabel/system_{slot}', boot: 'boot_{slot}'}, environment: fw_env.config}\n")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(c.State)
	if c.Boot.Images["system"] != "/dev/disk/by-partlabel/system_{slot}" || c.Boot.Images["boot"] != filepath.Join(dir, "boot_{slot}") ||
		c.Boot.Environment != filepath.Join(dir, "fw_env.config") || strings.Join(c.Boot.Reboot, " ") != "systemctl reboot" {
		t.Fatalf("%+v", c.Boot)
	}
}

func TestEverythingWrongWithABootLoaderIsSaidAtOnce(t *testing.T) {
	for text, words := range map[string][]string{
		"":                        {`"slots"`},
		"boot: {driver: grub}\n":  {`"boot.driver"`, "simulator, uboot and systemd-boot"},
		"boot: {driver: uboot}\n": {`"boot.images"`},
		"boot: {colour: blue}\n":  {"colour"},
		"slots: s\nboot: {driver: simulator, images: {system: 'x_{slot}'}, esp: /efi}\n": {"takes no", `"boot.esp"`},
		"slots: s\nboot: {driver: uboot, images: {system: /dev/sda2}, esp: /efi, entry: e, argument: 'a b', prefix: 'x=', reboot: ['']}\n": {
			`"slots" is the simulator's`, `"boot.images.system"`, `"boot.esp"`, `"boot.entry"`, `"boot.argument"`, `"boot.prefix"`, `"boot.reboot"`,
		},
		"boot: {driver: systemd-boot, images: {system: 'x_{slot}'}, environment: e, prefix: p}\n": {`"boot.environment"`, `"boot.prefix"`},
	} {
		_, err := loadBoot(t, text)
		if err == nil {
			t.Errorf("%q was taken", text)
			continue
		}
		for _, word := range words {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%q: nothing about %s in:\n%v", text, word, err)
			}
		}
	}
}

func TestMeteredProgramIsOfABoardWithoutADeviceFile(t *testing.T) {
	const board = "product: phone\nmodel: m1\nservers: [http://h]\nstate: s\nboot: {driver: uboot, images: {system: '/dev/system_{slot}'}}\n"
	c, err := LoadConfig(writeConfig(t, board+"metered: [/bin/metered, -q]\n"))
	if err != nil || len(c.Metered) != 2 {
		t.Fatal(c, err)
	}
	for _, wrong := range []string{
		board + "metered: ['']\n",
		board + "metered: [m]\ndevice: d\n",
		"product: phone\nmodel: m1\nservers: [http://h]\nstate: s\nslots: l\nmetered: [m]\n",
	} {
		if _, err := LoadConfig(writeConfig(t, wrong)); err == nil || !strings.Contains(err.Error(), `"metered"`) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}
