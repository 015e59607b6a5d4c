package handset

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/boot/sim"
	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/outbox"
	"github.com/candor-ota/candor/client/receipts"
	"github.com/candor-ota/candor/client/trust"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
)

// OptIn lets outcomes be reported, on the word of the factory credential. The
// service is told now, or at a later poll if it cannot be reached.
func (h *Handset) OptIn(ctx context.Context) error {
	return h.enrol(ctx, h.outbox.OptIn)
}

// enrol takes the owner's word with the factory credential, and tells the
// service.
func (h *Handset) enrol(ctx context.Context, word func(credentialPEM []byte) error) error {
	if h.Config.Credential == "" {
		return errors.New(`the configuration names no "credential"; reports need the one that the factory put on the handset`)
	}
	pem, err := os.ReadFile(h.Config.Credential)
	if err != nil {
		return fmt.Errorf("factory credential: %w", err)
	}
	if err := word(pem); err != nil {
		return err
	}
	if err := h.outbox.Enrol(ctx); err != nil {
		if errors.Is(err, outbox.ErrEnrolment) {
			return err
		}
		h.log.Warn("the service is told later", "reason", err)
	}
	return nil
}

// OptOut ends it and forgets.
func (h *Handset) OptOut(ctx context.Context) error { return h.outbox.OptOut(ctx) }

// Reporting tells whether outcomes are reported, as votes or by name.
func (h *Handset) Reporting() bool { return h.outbox.Enabled() }

// Sent gives every report that was sent, to the letter.
func (h *Handset) Sent() []outbox.Sent { return h.outbox.Sent() }

// Receipts reads the owner's log of the handset that a configuration names,
// also while another process runs it. With an error that wraps
// receipts.ErrDamaged the chain ends where it ceases to hold.
func Receipts(c *agent.Config) (*receipts.Chain, error) {
	return receipts.Open(disk.OS{}, receiptsPath(c), func() (time.Time, bool) { return time.Time{}, false }).Read()
}

func receiptsPath(c *agent.Config) string { return filepath.Join(c.State, "receipts.log") }

// Answer records the owner's word on a build's notice.
func (h *Handset) Answer(b manifests.Build, a rollout.Answer) error { return h.agent.Answer(b, a) }

// GetItNow skips the wait for this handset's turn.
func (h *Handset) GetItNow(pastPace, payForData bool) error {
	return h.agent.GetItNow(pastPace, payForData)
}

// Postpone puts updates off.
func (h *Handset) Postpone(d time.Duration) error { return h.agent.Postpone(d) }

// Retry lets a build that failed here be tried again.
func (h *Handset) Retry(b manifests.Build) error { return h.agent.Retry(b) }

// Factory is how a handset leaves the factory.
type Factory struct {
	Images   map[manifests.Name]string // files, by name; the first slot holds them
	Root     []byte                    // trusted root metadata
	Metadata boot.Metadata
}

const maxLabelBytes = 16 << 10

// LoadLabel reads the privacy label of the factory image from a YAML file. No
// name: it collects nothing.
func (f *Factory) LoadLabel(path string) error {
	f.Metadata.Label.Collects = []manifests.Collection{}
	if path == "" {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("privacy label: %w", err)
	}
	if err := manifests.DecodeYAML(data, maxLabelBytes, &f.Metadata.Label); err != nil {
		return fmt.Errorf("privacy label %s: %w", path, err)
	}
	return nil
}

// Create makes slots, boot loader and trust store as a configuration names
// them. On a board the images must be in slot a already: they are compared, and
// the boot loader's state is set up.
func Create(configPath string, f Factory) error {
	c, err := agent.LoadConfig(configPath)
	if err != nil {
		return err
	}
	f.Metadata.Product = c.Product
	if err := (disk.OS{}).MkdirAll(c.State); err != nil {
		return err
	}
	trusted := func() error { return trust.Init(filepath.Join(c.State, "trust"), f.Root) }
	if !c.Boot.Simulated() {
		b, err := openBoard(c)
		if err != nil {
			return err
		}
		return b.provision(f, trusted)
	}
	if err := sim.Vacant(disk.OS{}, c.Slots); err != nil {
		return err
	}
	if err := trusted(); err != nil {
		return err
	}
	return sim.Create(c.Slots, f.Images, f.Metadata)
}
