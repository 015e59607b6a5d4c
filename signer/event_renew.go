package main

import (
	"errors"

	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/spf13/cobra"
)

func (a *app) eventRenew(at *cli.Connection) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "renew FILE|ID --server URL --out FILE",
		Short: "Make a superseded or expired proposal again, from what is published now",
		Long: `Make a proposal again that was superseded, because something else was published
meanwhile, or that was not signed in time: the same change to what is published
now. A release keeps its document and its blobs; nothing is built again. Nobody's
signature is taken over, since everybody signs what the change is now.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return cli.Usagef("--out: name the file of the new proposal")
			}
			f, err := a.find(cmd.Context(), args[0], at)
			if err != nil {
				return err
			}
			if _, err := a.accept(f.Proposal); err != nil {
				return err
			}
			state, err := a.load(cmd.Context(), stateFlags{treeFlags: treeFlags{server: at.Address()}})
			if err != nil {
				return err
			}
			p, err := ceremony.Again(state, f.Proposal, a.now())
			if err != nil {
				return err
			}
			built, err := a.ring().WasBuilt(f.Hash())
			if err == nil && built { // who built the release has built it still
				err = a.ring().NoteBuilt(p.Hash())
			}
			if err = errors.Join(err, a.save(p, out)); err != nil {
				return err
			}
			return a.printProposal(out, p)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "file of the new proposal")
	return cmd
}
