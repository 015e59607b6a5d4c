package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/client/handset"
)

func runCommand(o *options) *cobra.Command {
	var watch bool
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the agent until it is stopped",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.with(cmd, func(h *handset.Handset) error {
				h.Config.Watch.On = h.Config.Watch.On || watch
				return o.serving(cmd, h, func(b *bar) error {
					return h.Run(cmd.Context(), func(s agent.Status, err error) {
						b.clear()
						o.polled(cmd, s, err)
					})
				})
			})
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "keep a connection to the server open, to hear at once that there is news")
	return cmd
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
				if err := o.serving(cmd, h, func(*bar) error {
					_, err := h.Once(cmd.Context())
					return err
				}); err != nil {
					return err
				}
				r, err := h.Report()
				if err != nil {
					return err
				}
				return o.print(cmd, r, reportWords(r))
			})
		},
	}
}

// polled says what came of a poll.
func (o *options) polled(cmd *cobra.Command, s agent.Status, err error) {
	if err == nil {
		err = o.print(cmd, s, stateWords(s))
	}
	if err != nil {
		fmt.Fprintln(cmd.ErrOrStderr(), "candor-client:", err)
	}
}

// serving is the part of a command in which it is an agent: it answers its owner
// on the socket, and shows its progress on a terminal.
func (o *options) serving(cmd *cobra.Command, h *handset.Handset, do func(*bar) error) error {
	b := newBar(cmd.ErrOrStderr())
	unfollow := b.follow(h)
	stop := h.Serve()
	err := do(b)
	err = errors.Join(err, stop())
	unfollow()
	return err
}
