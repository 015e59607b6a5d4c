package main

import (
	"fmt"
	"strings"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/spf13/cobra"
)

func (a *app) withdrawCommand() *cobra.Command {
	var out string
	var strand bool
	var from stateFlags
	cmd := &cobra.Command{
		Use:   "withdraw PRODUCT BUILD --server URL",
		Short: "Propose that a build be no longer signed",
		Long: `Propose a product's list of releases without one build. Halting a rollout is
the server's word; a withdrawal is the engineers': once it is published, not
even somebody who stole the server's keys can offer the build.

A build that is the only way up for handsets on older ones is not withdrawn
before another way is signed, unless you say --strand. See "incident bad-release"
for all that there is to do about a bad build.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			product, build, err := releaseOf(args)
			if err != nil {
				return err
			}
			state, err := a.load(cmd.Context(), from)
			if err != nil {
				return err
			}
			if err := refuseStranding(state, product, build, strand); err != nil {
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
	cmd.Flags().BoolVar(&strand, "strand", false, "withdraw it even if handsets on older builds then have no way up")
	return cmd
}

// refuseStranding keeps a build that others need as a stepping stone.
func refuseStranding(s *ceremony.State, product manifests.Product, build manifests.Build, anyway bool) error {
	found, err := s.Strands(product, build)
	if err != nil || len(found) == 0 || anyway {
		return err
	}
	words := make([]string, len(found))
	for i, f := range found {
		words[i] = f.String()
	}
	return fmt.Errorf("%s build %d is a stepping stone: %s; first sign a higher build that installs on them (its compatible.minBuild must not be above what they run), or say --strand", product, build, strings.Join(words, "; "))
}
