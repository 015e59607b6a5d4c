package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/client/doctor"
	"github.com/candor-ota/candor/client/handset"
)

var errNotWell = errors.New("something is wrong with this handset")

func doctorCommand(o *options) *cobra.Command {
	var online bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Examine this handset, and say in plain words what is wrong and what to do",
		Long: `Examine this handset: the root that it trusts, the metadata that it has stored
and the versions that it remembers, clock, storage, slots and boot loader, the
journal of an update, the integrator's programs, reports and receipts. Each
finding says what is so, what that means and what to do; where a command helps,
it stands there to be copied.

Nothing is changed, and an agent may run meanwhile. Nothing leaves the handset:
with --online the static files that every look for news asks for are asked for,
of each server and mirror by itself, and what they give is judged too.

Exit status: 0 if nothing is wrong, 1 if something is.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := agent.LoadConfig(o.config)
			if err != nil {
				return err
			}
			built, err := handset.Built()
			if err != nil {
				return err
			}
			r := doctor.Examine(cmd.Context(), doctor.Options{
				Config: config, Online: online, Built: built,
				Receipts: func() (int, error) {
					chain, err := handset.Receipts(config)
					if err != nil {
						return 0, err
					}
					return len(chain.Entries), nil
				},
			})
			if err := o.print(cmd, r, strings.Join(r.Lines(), "\n")); err != nil {
				return err
			}
			if !r.Fine {
				return errNotWell
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&online, "online", false, "ask servers and mirrors too; only for files that anybody may fetch")
	return cmd
}
