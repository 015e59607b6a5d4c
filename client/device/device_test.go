package device

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDeviceFileStandsInForHardware(t *testing.T) {
	path := filepath.Join(t.TempDir(), "device.json")
	d := &File{Path: path, MinBattery: 30, State: t.TempDir()}
	if c, err := d.Conditions(); err != nil || c.FreeBytes <= 0 || c.BatteryPercent != 100 || c.Metered || c.MinBattery != 30 {
		t.Fatalf("%+v, %v", c, err)
	}
	write(t, path, `{"batteryPercent":7,"charging":true,"metered":true,"noClock":true}`)
	if c, err := d.Conditions(); err != nil || c.BatteryPercent != 7 || !c.Metered || !c.Charging {
		t.Fatalf("%+v, %v", c, err)
	}
	if _, set := d.Now(); set {
		t.Fatal("a clock that was never set tells the time")
	}
	if up, err := d.Uptime(); err != nil || up <= 0 {
		t.Fatalf("uptime %s, %v", up, err)
	}
}

// A device file that cannot be read may have said that the battery is empty.
func TestDamagedDeviceFileHoldsTheUpdate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "device.json")
	for _, content := range []string{`{"batteryPercent":`, `{"batteryPercent":101}`, `{"battery":3}`, strings.Repeat(" ", maxFileBytes+1)} {
		write(t, path, content)
		if _, err := (&File{Path: path, State: t.TempDir()}).Conditions(); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%.20q: %v", content, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != content {
			t.Errorf("the file was touched: %v", err)
		}
	}
}

func TestBoardReadsWhatTheKernelSays(t *testing.T) {
	for name, test := range map[string]struct {
		supplies map[string]string
		percent  int
		plugged  bool
		refused  string
	}{
		"no supply is a board on mains": {nil, 100, true, ""},
		"a battery alone":               {map[string]string{"b/type": "Battery\n", "b/capacity": "41\n", "b/status": "Discharging\n"}, 41, false, ""},
		"a battery that charges":        {map[string]string{"b/type": "Battery", "b/capacity": "41", "b/status": "Charging"}, 41, true, ""},
		"a charger is plugged in":       {map[string]string{"b/type": "Battery", "b/capacity": "4", "b/status": "Not charging", "u/type": "USB", "u/online": "1"}, 4, true, ""},
		"a charger lies beside":         {map[string]string{"b/type": "Battery", "b/capacity": "4", "u/type": "Mains", "u/online": "0"}, 4, false, ""},
		"two batteries":                 {map[string]string{"a/type": "Battery", "a/capacity": "100", "b/type": "Battery", "b/capacity": "20"}, 60, false, ""},
		"a mouse has its own":           {map[string]string{"m/type": "Battery", "m/scope": "Device", "m/capacity": "3"}, 100, true, ""},
		"a bay is empty":                {map[string]string{"b/type": "Battery", "b/present": "0"}, 100, true, ""},
		"energy in place of capacity":   {map[string]string{"b/type": "Battery", "b/energy_now": "15000000", "b/energy_full": "50000000"}, 30, false, ""},
		"a battery that says nothing":   {map[string]string{"b/type": "Battery"}, 0, false, "battery b"},
		"a battery that says nonsense":  {map[string]string{"b/type": "Battery", "b/capacity": "full"}, 0, false, `"full" is not a number`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for path, content := range test.supplies {
				write(t, filepath.Join(dir, path), content)
			}
			c, err := (&Board{Supplies: dir, State: t.TempDir(), MinBattery: 30}).Conditions()
			if test.refused != "" {
				if err == nil || !strings.Contains(err.Error(), test.refused) {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err != nil || c.BatteryPercent != test.percent || c.Charging != test.plugged || c.MinBattery != 30 || c.FreeBytes <= 0 {
				t.Fatalf("%+v, %v; want %d %%, plugged %t", c, err, test.percent, test.plugged)
			}
		})
	}
}

// Only a clear no lets an update use a network: what is not known costs money.
func TestOnlyAClearNoMakesANetworkFree(t *testing.T) {
	for script, metered := range map[string]bool{"exit 1": false, "exit 0": true, "exit 2": true, "kill -9 $$": true} {
		b := &Board{Supplies: t.TempDir(), State: t.TempDir(), Metered: []string{"/bin/sh", "-c", script}}
		if c, err := b.Conditions(); err != nil || c.Metered != metered {
			t.Errorf("%s: metered %t, %v", script, c.Metered, err)
		}
	}
	b := &Board{Supplies: t.TempDir(), State: t.TempDir(), Metered: []string{"/no/such/program"}}
	if c, err := b.Conditions(); err != nil || !c.Metered {
		t.Errorf("a program that is missing: metered %t, %v", c.Metered, err)
	}
	b.Metered = nil
	if c, err := b.Conditions(); err != nil || c.Metered {
		t.Errorf("no program: metered %t, %v", c.Metered, err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
