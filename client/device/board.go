package device

import (
	"context"
	"errors"
	"os/exec"
	"syscall"
	"time"

	"github.com/candor-ota/candor/manifests/rollout"
)

// Supplies is where Linux shows batteries and chargers (the kernel's
// Documentation/ABI/testing/sysfs-class-power).
const Supplies = "/sys/class/power_supply"

// meteredTimeout bounds the program that knows the network.
const meteredTimeout = 10 * time.Second

// Board is a real device under Linux.
type Board struct {
	Supplies   string   // directory of power supplies; "" is Supplies
	Metered    []string // program that exits with 0 if the network costs money and with 1 if not; none: it does not
	MinBattery int      // percent, as Conditions hands it on
	State      string   // directory of the agent's own files, whose free room counts
}

// Now gives the machine's time. Whether that was ever set shows in its being
// later than the agent's own build, as package trust judges.
func (b *Board) Now() (time.Time, bool) { return time.Now(), true }

// Uptime is the machine's, sleep included.
func (b *Board) Uptime() (time.Duration, error) { return uptime() }

// Conditions asks kernel and program.
func (b *Board) Conditions() (rollout.Conditions, error) {
	dir := b.Supplies
	if dir == "" {
		dir = Supplies
	}
	power, err := readPower(dir)
	if err != nil {
		return rollout.Conditions{}, err
	}
	free, err := room(b.State)
	if err != nil {
		return rollout.Conditions{}, err
	}
	return rollout.Conditions{
		BatteryPercent: power.percent, Charging: power.plugged, MinBattery: b.MinBattery, Metered: b.metered(),
		FreeBytes: free, LocalMinute: minute(time.Now()),
	}, nil
}

// metered runs the program. Only its clear "no" makes a network free: an owner
// rather waits than pays.
func (b *Board) metered() bool {
	if len(b.Metered) == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), meteredTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, b.Metered[0], b.Metered[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its children end with it
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	var exit *exec.ExitError
	return !errors.As(cmd.Run(), &exit) || exit.ExitCode() != 1
}
