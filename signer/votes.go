package main

import (
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/spf13/cobra"
)

func (a *app) votesCommand() *cobra.Command {
	return cli.Group("votes", "Say under which keys votes on a release count", a.votesSpare())
}

func (a *app) votesSpare() *cobra.Command {
	var f proposing
	cmd := &cobra.Command{
		Use:   "spare PRODUCT BUILD --server URL",
		Short: "Propose that votes on a build move to its spare keys",
		Long: `Propose that votes on a build be cast and counted under the spare vote keys
that its release signs. Do it when the service's vote keys were in wrong hands,
or after its ledger was restored from a backup; "candor-server restore" and
"candor-server doctor" name the builds. Until it is signed and submitted, no
handset votes on them: none takes the switch on the service's word, which could
send one handset to keys of its own and so know its votes.

Counting begins anew. A handset does not say again what was acknowledged. The
switch is for good, and each release has one set of spare keys.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			product, build, err := releaseOf(args)
			if err != nil {
				return err
			}
			if f.out == "" {
				f.out = args[0] + "-" + args[1] + "-spare-votes.proposal.json"
			}
			return a.propose(cmd, f, func(s *ceremony.State) (*ceremony.Proposal, error) {
				return ceremony.SpareVotes(s, product, build, a.now())
			})
		},
	}
	f.register(cmd, "")
	cmd.Flags().Lookup("out").Usage = "file of the proposal (default PRODUCT-BUILD-spare-votes.proposal.json)"
	return cmd
}

// releaseOf reads PRODUCT BUILD from a command line.
func releaseOf(args []string) (manifests.Product, manifests.Build, error) {
	product, err := manifests.ParseProduct(args[0])
	if err != nil {
		return "", 0, cli.Wrong(err)
	}
	build, err := cli.Build(args[1])
	return product, build, err
}
