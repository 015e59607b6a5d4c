package main

import (
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/spf13/cobra"
)

func (a *app) renewCommand() *cobra.Command {
	var out string
	var from stateFlags
	cmd := &cobra.Command{
		Use:   "renew root|targets|PRODUCT --server URL",
		Short: "Propose the same metadata with a later expiry",
		Long: `Propose root, targets or a product's list of releases unchanged, with a later
expiry. A product's engineers promise in each list when they will sign the
next one (60 days); handsets tell their owners when that promise is broken, so
the list is renewed even when there is nothing new. Each is signed by its own people
alone, in time or after it has expired.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			from.renewsRoot = args[0] == "root"
			state, err := a.load(cmd.Context(), from)
			if err != nil {
				return err
			}
			var p *ceremony.Proposal
			if args[0] == "root" || args[0] == "targets" {
				p, err = ceremony.RenewTop(state, args[0], a.now())
			} else {
				var product manifests.Product
				if product, err = manifests.ParseProduct(args[0]); err != nil {
					return cli.Wrong(err)
				}
				p, err = ceremony.RenewReleases(state, product, a.now())
			}
			if err != nil {
				return err
			}
			return a.saveAndSign(cmd.Context(), p, orElse(out, args[0]+"-renew.proposal.json"), nil, false)
		},
	}
	from.register(cmd)
	cmd.Flags().StringVar(&out, "out", "", "file of the proposal (default NAME-renew.proposal.json)")
	return cmd
}
