package main

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/client/bundle"
	"github.com/candor-ota/candor/client/handset"
	"github.com/candor-ota/candor/client/receipts"
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

You are shown what it is and asked, unless you say --yes. A notice that needs
consent is not answered by that: say "accept BUILD" first.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := bundle.Open(args[0])
			if err != nil {
				return err
			}
			err = o.with(cmd, func(h *handset.Handset) error { return o.install(cmd, h, b, yes) })
			return errors.Join(err, b.Close())
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask whether to install")
	return cmd
}

func (o *options) install(cmd *cobra.Command, h *handset.Handset, b *bundle.File, yes bool) error {
	p, err := h.Look(cmd.Context(), b)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(cmd.ErrOrStderr(), previewWords(p)); err != nil {
		return err
	}
	if hold := p.Decision.Hold; hold != nil {
		return errors.New(hold.Sentence + holdHint(hold))
	}
	if !yes {
		if err := agreed(cmd); err != nil {
			return err
		}
	}
	_, down, err := h.Install(cmd.Context(), b)
	if err != nil {
		return err
	}
	r, err := h.Report()
	if err != nil {
		return err
	}
	if err := o.print(cmd, r, reportWords(r)); err != nil {
		return err
	}
	if r.Build != b.Build && !down {
		return fmt.Errorf("build %d does not run", b.Build)
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
func previewWords(p agent.Preview) string {
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
