package main

import (
	"context"

	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/spf13/cobra"
)

// stateFlags say where the metadata in force is read from.
type stateFlags struct {
	dir, server, proposal string
	renewsRoot            bool // the root in force may have expired
}

func (f *stateFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.dir, "from-dir", "", "published tree in this directory")
	cmd.Flags().StringVar(&f.server, "server", "", "address of the server that publishes")
	cmd.Flags().StringVar(&f.proposal, "from-proposal", "", "finished proposal that is to be published first")
}

func (a *app) load(ctx context.Context, f stateFlags) (*ceremony.State, error) {
	given := 0
	for _, s := range []string{f.dir, f.server, f.proposal} {
		if s != "" {
			given++
		}
	}
	if given != 1 {
		return nil, usagef("give one of --server, --from-dir and --from-proposal: where the metadata in force is")
	}
	anchor, err := a.anchor()
	if err != nil {
		return nil, err
	}
	if f.proposal != "" {
		p, err := ceremony.Read(f.proposal)
		if err != nil {
			return nil, err
		}
		if err := p.TrustedBy(anchor); err != nil {
			return nil, err
		}
		return ceremony.FromProposal(p)
	}
	src, err := source(f.dir, f.server)
	if err != nil {
		return nil, err
	}
	if f.renewsRoot {
		return ceremony.LoadToRenewRoot(ctx, src, anchor, a.now())
	}
	return ceremony.Load(ctx, src, anchor, a.now())
}

func source(dir, server string) (ceremony.Source, error) {
	if server != "" {
		return ceremony.Server(server)
	}
	return ceremony.Dir(dir)
}
