package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/client/handset"
)

func runCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Run the agent until it is stopped",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.with(cmd, func(h *handset.Handset) error {
				return h.Run(cmd.Context(), func(s agent.Status, err error) {
					if err != nil {
						fmt.Fprintln(cmd.ErrOrStderr(), "candor-client:", err)
						return
					}
					if perr := o.print(cmd, s, string(s.State)+": "+s.Sentence); perr != nil {
						fmt.Fprintln(cmd.ErrOrStderr(), "candor-client:", perr)
					}
				})
			})
		},
	}
}

func onceCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "once",
		Short: "Poll once, and do everything that follows from it",
		Long: "Poll once, and do everything that follows from it: install, restart (a simulated\n" +
			"handset restarts at once), check, and send the reports that are due.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.with(cmd, func(h *handset.Handset) error {
				if _, err := h.Once(cmd.Context()); err != nil {
					return err
				}
				return o.status(cmd, h)
			})
		},
	}
}

func statusCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Say what runs, and why nothing else happens",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.with(cmd, func(h *handset.Handset) error { return o.status(cmd, h) })
		},
	}
}

func (o *options) status(cmd *cobra.Command, h *handset.Handset) error {
	r, err := h.Report()
	if err != nil {
		return err
	}
	words := fmt.Sprintf("%s runs build %d (%s) from slot %s.\n%s", r.Product, r.Build, r.Version, r.Slot, r.Status.Sentence)
	if r.Status.Sentence == "" {
		words += "It has not looked for updates yet."
	}
	if r.Head != "" {
		words += "\nHead of the chain of rollouts: " + r.Head + "."
	}
	for _, w := range r.Warnings {
		words += "\nWARNING: " + w
	}
	switch {
	case r.Reporting && r.Lab:
		words += "\nThis handset is in lab mode and reports by name; see `lab show`."
	case r.Reporting:
		words += "\nOutcomes of updates are reported, as the owner asked; see `consent show`."
	default:
		if r.Lab {
			words += "\nThis handset is in lab mode, but cannot report; see `lab show`."
		}
		words += "\nNothing is reported: no request beyond static files leaves this handset."
	}
	return o.print(cmd, r, words)
}
