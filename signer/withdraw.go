package main

import (
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/spf13/cobra"
)

func (a *app) withdrawCommand() *cobra.Command {
	var out string
	var from stateFlags
	cmd := &cobra.Command{
		Use:   "withdraw PRODUCT BUILD --server URL",
		Short: "Propose that a build be no longer signed",
		Long: `Propose a product's list of releases without one build. Halting a rollout is
the server's word; a withdrawal is the engineers': once it is published, not
even somebody who stole the server's keys can offer the build.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			product, err := manifests.ParseProduct(args[0])
			if err != nil {
				return usageError{err}
			}
			build, err := buildOf(args[1])
			if err != nil {
				return err
			}
			state, err := a.load(cmd.Context(), from)
			if err != nil {
				return err
			}
			p, err := ceremony.Withdraw(state, product, build, a.now())
			if err != nil {
				return err
			}
			return a.saveAndSign(cmd.Context(), p, orElse(out, args[0]+"-"+args[1]+"-withdraw.proposal.json"), nil, false)
		},
	}
	from.register(cmd)
	cmd.Flags().StringVar(&out, "out", "", "file of the proposal (default PRODUCT-BUILD-withdraw.proposal.json)")
	return cmd
}
