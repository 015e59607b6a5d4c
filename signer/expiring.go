package main

import (
	"errors"
	"slices"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/lint"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/spf13/cobra"
)

var errDue = errors.New("something has to be signed; the lines marked DUE say by whom")

func (a *app) expiringCommand() *cobra.Command {
	var from treeFlags
	var within string
	cmd := &cobra.Command{
		Use:   "expiring --server URL | --from-dir DIR",
		Short: "Tell which roles have to be signed again, by whom, and when",
		Long: `Tell for every role that is published how many days are left, who has to sign
and what to run, what ends first at the top. A product's list of releases counts
until the promise of the next word (60 days after it was signed), which comes
before its expiry: past it, handsets tell their owners that the makers are late.

A role of people is due --within 30d before its end; one of the service when two thirds of its life are over, since it
renews its own long before. Exit status 0: nothing is due, 3: something is. No key
is needed; run it daily.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			window, err := manifests.ParseDuration(within)
			if err != nil {
				return cli.Usagef("--within: %v", err)
			}
			src, err := from.source()
			if err != nil {
				return err
			}
			anchor, err := a.anchor()
			if err != nil {
				return err
			}
			list, err := ceremony.Expiring(cmd.Context(), src, anchor, ceremony.ExpiringOptions{Now: a.now(), Within: window.Duration})
			if err != nil {
				return err
			}
			lines := make([]string, len(list))
			for i, d := range list {
				lines[i] = d.Words()
			}
			if err := a.print(map[string]any{"roles": list, "at": manifests.At(a.now().Truncate(time.Second))}, lines...); err != nil {
				return err
			}
			if slices.ContainsFunc(list, func(d ceremony.Due) bool { return d.Due }) {
				return cli.Exit(errDue, cli.Waits)
			}
			return nil
		},
	}
	from.register(cmd)
	cmd.Flags().StringVar(&within, "within", manifests.Duration{Duration: lint.DueWithin}.String(), "how long before its end a role of people is due, such as 30d")
	return cmd
}
