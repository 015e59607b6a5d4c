package uboot

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/disk"
)

const (
	maxOutput = 1 << 20  // bytes of fw_printenv; no environment is as large
	maxConfig = 16 << 10 // bytes of fw_env.config
)

// env is what the variables say.
type env struct {
	order []boot.Slot
	slots map[boot.Slot]slot // absent: unbootable
}

type slot struct {
	good  bool
	left  int
	spent bool // boot.cmd counted down to 0
}

func (e *env) first(s boot.Slot) {
	order := slices.DeleteFunc(slices.Clone(e.order), func(other boot.Slot) bool { return other == s })
	e.order = append([]boot.Slot{s}, order...)
}

// ErrEnvironment is an environment that this driver does not understand.
var ErrEnvironment = errors.New("the U-Boot environment is not as it should be")

// parse reads what fw_printenv prints: a line for each variable. Values may
// have several lines; those with the prefix have one, and are there once.
func parse(out []byte, prefix string) (map[string]string, error) {
	if len(out) > maxOutput {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrEnvironment, maxOutput)
	}
	vars := map[string]string{}
	for line := range bytes.Lines(out) {
		name, value, ok := strings.Cut(strings.TrimSuffix(string(line), "\n"), "=")
		if !ok || !strings.HasPrefix(name, prefix) {
			continue
		}
		if _, twice := vars[name]; twice {
			return nil, fmt.Errorf("%w: %.40q is there twice", ErrEnvironment, name)
		}
		vars[name] = value
	}
	return vars, nil
}

// understand takes the variables at their word, and only words that it knows.
func understand(vars map[string]string, prefix string, slots []boot.Slot) (*env, error) {
	e := &env{slots: map[boot.Slot]slot{}}
	for _, name := range strings.Fields(vars[prefix+"ORDER"]) {
		s := boot.Slot(name)
		if !slices.Contains(slots, s) || slices.Contains(e.order, s) {
			return nil, fmt.Errorf("%w: %sORDER is %.80q; it must name each of the slots %q once", ErrEnvironment, prefix, vars[prefix+"ORDER"], slots)
		}
		e.order = append(e.order, s)
	}
	if len(e.order) != len(slots) {
		return nil, fmt.Errorf("%w: %sORDER is %.80q; it must name each of the slots %q once (`create` sets it)", ErrEnvironment, prefix, vars[prefix+"ORDER"], slots)
	}
	for _, s := range e.order {
		good, left := vars[goodName(prefix, s)], vars[leftName(prefix, s)]
		v := slot{good: good == "1"}
		if good != "" && good != "0" && good != "1" {
			return nil, fmt.Errorf("%w: %s is %.40q; it is 1 or absent", ErrEnvironment, goodName(prefix, s), good)
		}
		if left != "" {
			n, err := strconv.ParseUint(left, 16, 4)
			if err != nil || len(left) != 1 {
				return nil, fmt.Errorf("%w: %s is %.40q; it is one hexadecimal digit", ErrEnvironment, leftName(prefix, s), left)
			}
			v.left, v.spent = int(n), n == 0
		}
		if v.good {
			v.left, v.spent = 0, false // boot.cmd does not look at it
		}
		if v != (slot{}) {
			e.slots[s] = v
		}
	}
	return e, nil
}

func goodName(prefix string, s boot.Slot) string { return prefix + string(s) + "_GOOD" }
func leftName(prefix string, s boot.Slot) string { return prefix + string(s) + "_LEFT" }

// settings is e as a script of fw_setenv. An empty value takes a variable away.
func (e *env) settings(prefix string) string {
	names := make([]string, len(e.order))
	var b strings.Builder
	for i, s := range e.order {
		names[i] = string(s)
		v, good, left := e.slots[s], "", ""
		if v.good {
			good = "1"
		}
		if v.left > 0 || v.spent {
			left = strconv.FormatInt(int64(v.left), 16)
		}
		fmt.Fprintf(&b, "%s=%s\n%s=%s\n", goodName(prefix, s), good, leftName(prefix, s), left)
	}
	fmt.Fprintf(&b, "%sORDER=%s\n", prefix, strings.Join(names, " "))
	return b.String()
}

// redundant demands two copies in fw_env.config: with one, a power cut within a
// write loses the environment.
func (d *Driver) redundant() error {
	data, err := disk.ReadFile(d.o.Disk, d.o.Config, maxConfig)
	if err != nil {
		return fmt.Errorf("U-Boot environment: %w", err)
	}
	if len(data) > maxConfig {
		return fmt.Errorf("U-Boot environment: %s has more than %d bytes", d.o.Config, maxConfig)
	}
	copies := 0
	for line := range bytes.Lines(data) {
		if f := bytes.Fields(line); len(f) > 0 && f[0][0] != '#' {
			copies++
		}
	}
	if copies != 2 {
		return fmt.Errorf("%w: %s names %d copies; two are needed, since a power cut may tear the one that is written", ErrEnvironment, d.o.Config, copies)
	}
	return nil
}
