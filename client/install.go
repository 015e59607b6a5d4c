package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/client/bundle"
	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/handset"
	"github.com/candor-ota/candor/client/receipts"
	"github.com/candor-ota/candor/client/status"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
)

func installCommand(o *options) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "install BUNDLE",
		Short: "Install from a bundle, without a network: the owner's own act",
		Long: `Install from a bundle, such as one on a stick, and do all that follows. It is
verified like what comes over the network: only what enough engineers have
signed is installed, and never an older build. Share and pace are waived, since
the owner asks for it; a build that this handset has seen halted is refused.

An agent that runs does it, between two of its steps, and opens the file itself.

You are shown what it is and asked, unless you say --yes. A notice that needs
consent is not answered by that: say "accept BUILD" first.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := bundle.Open(args[0])
			if err != nil {
				return err
			}
			err = o.installBy(cmd, b, args[0], yes)
			return errors.Join(err, b.Close())
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask whether to install")
	return cmd
}

// installBy has the agent install that runs, if one does, or else does it here,
// on the files.
func (o *options) installBy(cmd *cobra.Command, b *bundle.File, path string, yes bool) error {
	config, err := agent.LoadConfig(o.config)
	if err != nil {
		return err
	}
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	bar := newBar(cmd.ErrOrStderr())
	byAgent := &there{config.SocketPath(), path, b.Build, bar, o.log(cmd.ErrOrStderr())}
	err = o.install(cmd, byAgent, yes)
	if !errors.Is(err, status.ErrNoAgent) {
		return err
	}
	err = o.open(cmd, config, func(h *handset.Handset) error { return o.install(cmd, &here{h, b, bar}, yes) })
	if errors.Is(err, disk.ErrLocked) { // an agent may have started just now
		if again := o.install(cmd, byAgent, yes); !errors.Is(again, status.ErrNoAgent) {
			return again
		}
	}
	return err
}

// installer is whoever installs a bundle.
type installer interface {
	look(ctx context.Context) (status.Preview, error)
	// install ends when the build runs, or the handset goes down to try it, or
	// neither can be.
	install(ctx context.Context) (status.Report, error)
	build() manifests.Build
}

// install shows the owner what is in a bundle, asks, and has it installed.
func (o *options) install(cmd *cobra.Command, by installer, yes bool) error {
	p, err := by.look(cmd.Context())
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(cmd.ErrOrStderr(), previewWords(p)); err != nil {
		return err
	}
	if p.Hold != nil {
		return errors.New(p.Hold.Sentence + holdHint(p.Hold))
	}
	if !yes {
		if err := agreed(cmd); err != nil {
			return err
		}
	}
	r, err := by.install(cmd.Context())
	if err != nil {
		return err
	}
	if err := o.print(cmd, r, reportWords(r)); err != nil {
		return err
	}
	restarts := r.Status.State == agent.RebootPending && r.Status.Code == ""
	if r.Build != by.build() && !restarts {
		return fmt.Errorf("build %d does not run", by.build())
	}
	return nil
}

// agreed asks the owner.
func agreed(cmd *cobra.Command) error {
	if _, err := fmt.Fprint(cmd.ErrOrStderr(), "Install it? Type yes: "); err != nil {
		return err
	}
	line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if strings.TrimSpace(line) == "yes" {
		return nil
	}
	if err != nil && line == "" {
		return errors.New("nothing typed; not installed (--yes does not ask)")
	}
	return errors.New("not installed")
}

func holdHint(h *rollout.Hold) string {
	switch h.Code {
	case rollout.NeedsConsent:
		return fmt.Sprintf(" Say `accept %d` or `decline %d`, then install again.", h.Build, h.Build)
	case rollout.BadTarget:
		return fmt.Sprintf(" Say `retry %d`, then install again.", h.Build)
	}
	return ""
}

// previewWords says what is in a bundle, as the engineers signed it.
func previewWords(p status.Preview) string {
	m := p.Release
	if m == nil {
		return fmt.Sprintf("This handset runs build %d.", p.Running)
	}
	words := fmt.Sprintf("The bundle holds %s build %d (%s, %s), signed by the engineers. This handset runs build %d.\n%s",
		m.Product, m.Build, m.Version, m.Risk, p.Running, m.Fixes.In("en"))
	if c := receipts.CompareLabels(p.Label, m.Privacy); c != nil {
		words += "\nIt changes what is collected.\n  now:    " + collected(c.From) + "\n  then:   " + collected(c.To)
	}
	if notice := m.Consent.Notice.In("en"); notice != "" {
		words += "\nNotice: " + notice
	}
	return words
}

func collected(lines []string) string {
	if len(lines) == 0 {
		return "nothing"
	}
	return strings.Join(lines, "; ")
}
