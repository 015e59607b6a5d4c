package handset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/boot/partitions"
	"github.com/candor-ota/candor/client/boot/sim"
	"github.com/candor-ota/candor/client/boot/systemdboot"
	"github.com/candor-ota/candor/client/boot/uboot"
	"github.com/candor-ota/candor/client/disk"
)

// loader is a boot loader with the slots that it boots, and a power button.
type loader interface {
	agent.Storage
	// restart restarts the handset. Only the simulated one comes back, true, at
	// its next start; on a board the system goes down.
	restart(ctx context.Context, log *slog.Logger) (back bool, err error)
}

func openLoader(c *agent.Config) (loader, error) {
	if c.Boot.Simulated() {
		s, err := sim.Open(c.Slots)
		if err != nil {
			return nil, fmt.Errorf("%w; a simulated handset is made with `create`", err)
		}
		return simulated{s}, nil
	}
	b, err := openBoard(c)
	if err != nil {
		return nil, err
	}
	return b, b.known()
}

type simulated struct{ *sim.Sim }

func (s simulated) restart(_ context.Context, log *slog.Logger) (bool, error) {
	slot, err := s.Boot()
	if err != nil {
		return false, err
	}
	log.Info("restarted", "slot", slot)
	return true, nil
}

// board is a real handset.
type board struct {
	*partitions.Store
	driver provisioner
	reboot []string
}

// provisioner is a boot driver that the factory can set up.
type provisioner interface {
	boot.Driver
	Provision(good boot.Slot) error
}

func openBoard(c *agent.Config) (*board, error) {
	b, slots := &c.Boot, []boot.Slot{"a", "b"}
	var driver provisioner
	var err error
	if b.Driver == agent.UBoot {
		driver, err = uboot.Open(uboot.Options{
			Slots: slots, Config: b.Environment, Prefix: b.Prefix, Argument: b.Argument, Kernel: b.CommandLine, Disk: disk.OS{},
		})
	} else {
		driver, err = systemdboot.Open(systemdboot.Options{
			Slots: slots, ESP: b.ESP, Template: b.Entry, Argument: b.Argument, Kernel: b.CommandLine, Disk: disk.OS{},
		})
	}
	if err != nil {
		return nil, err
	}
	store := partitions.New(driver, partitions.Options{Images: b.Images, Dir: filepath.Join(c.State, "slots"), Disk: disk.OS{}})
	return &board{store, driver, b.Reboot}, nil
}

const (
	patience = time.Minute // with the program that restarts the handset
	maxWords = 400         // of what it says, in bytes
)

func (b *board) restart(ctx context.Context, log *slog.Logger) (bool, error) {
	log.Info("restarting", "program", b.reboot)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, b.reboot[0], b.reboot[1:]...)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("no end within %s", patience)
	}
	if err != nil {
		return false, fmt.Errorf("restart with %s: %w: %s", strings.Join(b.reboot, " "), err, bytes.TrimSpace(out[:min(len(out), maxWords)]))
	}
	return false, nil
}

// known demands that the factory, or an update, said what runs. Without, the
// boot loader would be told to keep what nobody knows.
func (b *board) known() error {
	slot, err := b.Booted()
	if err != nil {
		return err
	}
	m, err := b.Metadata(slot)
	if err != nil {
		return err
	}
	if m.Build == 0 {
		return fmt.Errorf("nothing is known of slot %s, which runs; a board is set up with `create`", slot)
	}
	return nil
}

// provision sets up a board whose slot a the factory has flashed with these
// images. Everything is looked at before anything is written, and the boot
// loader comes last: until then it can be done again.
func (b *board) provision(f Factory, trusted func() error) error {
	for _, slot := range []boot.Slot{"a", "b"} {
		m, err := b.Metadata(slot)
		if err != nil {
			return err
		}
		if state, err := b.State(slot); err == nil && state.Good && m.Build != 0 {
			return fmt.Errorf("slot %s is good and holds build %d; this is a handset already", slot, m.Build)
		}
	}
	if err := b.Check(); err != nil {
		return err
	}
	images, err := boot.MeasureAll(disk.OS{}, f.Images)
	if err == nil {
		err = b.Fits("a", images)
	}
	for _, m := range images {
		if err == nil {
			err = b.Holds("a", m)
		}
	}
	if err != nil {
		return err
	}
	if err := trusted(); err != nil {
		return err
	}
	f.Metadata.Images = images
	if err := b.SetMetadata("a", f.Metadata); err != nil {
		return err
	}
	return b.driver.Provision("a")
}
