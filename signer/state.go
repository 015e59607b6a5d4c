package main

import (
	"context"

	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/spf13/cobra"
)

// treeFlags say where a published tree is read: in a directory, or from the
// server that is given or, with neither, that the environment names.
type treeFlags struct{ dir, server string }

func (f *treeFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.dir, "from-dir", "", "published tree in this directory")
	cmd.Flags().StringVar(&f.server, "server", "", "address of the server that publishes, or of its CDN (or "+cli.ServerVariable+")")
}

func (f treeFlags) settled() treeFlags {
	if f.dir == "" {
		f.server = (&cli.Connection{Server: f.server}).Address()
	}
	return f
}

func (f treeFlags) source() (ceremony.Source, error) {
	f = f.settled()
	if (f.dir == "") == (f.server == "") {
		return nil, cli.Usagef("give one of --server and --from-dir: where the published tree is")
	}
	return source(f.dir, f.server)
}

// stateFlags say where the metadata in force is read from.
type stateFlags struct {
	treeFlags
	proposal   string
	renewsRoot bool // the root in force may have expired
}

func (f *stateFlags) register(cmd *cobra.Command) {
	f.treeFlags.register(cmd)
	cmd.Flags().StringVar(&f.proposal, "from-proposal", "", "finished proposal that is to be published first")
}

func (a *app) load(ctx context.Context, f stateFlags) (*ceremony.State, error) {
	if f.proposal == "" {
		f.treeFlags = f.settled()
	}
	given := 0
	for _, s := range []string{f.dir, f.server, f.proposal} {
		if s != "" {
			given++
		}
	}
	if given != 1 {
		return nil, cli.Usagef("give one of --server, --from-dir and --from-proposal: where the metadata in force is")
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
