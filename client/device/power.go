package device

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"

	"github.com/candor-ota/candor/client/disk"
)

// power is what all supplies say together.
type power struct {
	percent int  // of the batteries' mean charge
	plugged bool // a charger feeds the device, or it has no battery
}

// readPower reads every supply that feeds the device; the batteries of mice and
// headphones do not (scope "Device").
func readPower(dir string) (power, error) {
	names, err := disk.OS{}.List(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return power{}, fmt.Errorf("power supplies: %w", err)
	}
	var p power
	batteries, sum := 0, 0
	for _, name := range names {
		s := supply{dir: filepath.Join(dir, name)}
		if s.text("scope") == "Device" || s.text("present") == "0" {
			continue
		}
		if s.text("type") != "Battery" {
			p.plugged = p.plugged || s.online()
			continue
		}
		percent, err := s.percent()
		if err != nil {
			return power{}, fmt.Errorf("battery %s: %w", name, err)
		}
		status := s.text("status")
		p.plugged = p.plugged || status == "Charging" || status == "Full"
		batteries, sum = batteries+1, sum+percent
	}
	if batteries == 0 {
		return power{percent: 100, plugged: true}, nil
	}
	p.percent = sum / batteries
	return p, nil
}

// supply is one directory of attributes.
type supply struct{ dir string }

// maxAttribute bounds an attribute in bytes; the kernel's fit a page.
const maxAttribute = 4 << 10

// text is an attribute in one line, "" if the supply has none.
func (s supply) text(name string) string {
	data, err := disk.ReadFile(disk.OS{}, filepath.Join(s.dir, name), maxAttribute)
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(bytes.TrimRight(data, "\x00"))) // the kernel announces more than it gives
}

// online tells whether a charger gives power; some write 2 for a programmable
// supply.
func (s supply) online() bool {
	n, err := strconv.Atoi(s.text("online"))
	return err == nil && n > 0
}

// percent is the capacity, or where the driver has none, charge against full.
func (s supply) percent() (int, error) {
	n, err := s.number("capacity")
	if errors.Is(err, fs.ErrNotExist) {
		n, err = s.ratio()
	}
	if err != nil {
		return 0, err
	}
	return int(min(max(n, 0), 100)), nil
}

func (s supply) ratio() (int64, error) {
	for _, kind := range []string{"energy", "charge"} {
		now, err := s.number(kind + "_now")
		if err != nil {
			continue
		}
		if full, err := s.number(kind + "_full"); err == nil && full > 0 {
			return now / ((full + 99) / 100), nil
		}
	}
	return 0, errors.New("the kernel does not tell how full it is")
}

func (s supply) number(name string) (int64, error) {
	text := s.text(name)
	if text == "" {
		return 0, fs.ErrNotExist
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %.40q is not a number", name, text)
	}
	return n, nil
}
