package main

import (
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/spf13/cobra"
)

func (a *app) rootCommand() *cobra.Command {
	return group("root", "Change who and what the root of trust names", a.rootRotateOnline())
}

// proposing are the flags of a command that makes a proposal.
type proposing struct {
	from stateFlags
	out  string
	sign []string
	yes  bool
}

func (f *proposing) register(cmd *cobra.Command, out string) {
	f.from.register(cmd)
	cmd.Flags().StringVar(&f.out, "out", out, "file of the proposal")
	cmd.Flags().StringArrayVar(&f.sign, "sign", nil, "sign at once with this key of your key directory; may be repeated")
	cmd.Flags().BoolVar(&f.yes, "yes", false, "with --sign: do not ask to type the fingerprint")
}

// propose makes a proposal from the metadata in force, saves and shows it.
func (a *app) propose(cmd *cobra.Command, f proposing, make func(*ceremony.State) (*ceremony.Proposal, error)) error {
	state, err := a.load(cmd.Context(), f.from)
	if err != nil {
		return err
	}
	p, err := make(state)
	if err != nil {
		return err
	}
	return a.saveAndSign(cmd.Context(), p, f.out, f.sign, f.yes)
}

func (a *app) rootRotateOnline() *cobra.Command {
	var f proposing
	var online string
	cmd := &cobra.Command{
		Use:   "rotate-online --online FILE --server URL",
		Short: "Propose new keys for the service",
		Long: `Propose new keys for the service: timestamp, snapshot and rollouts, all three
together. Whoever runs the server makes them ("candor-server keys new"), sends
you the file and reads you the words of the three keys.

Do this at once when a key of the service, or the server, was in wrong hands. A
thief can have shown handsets version numbers that no honest file will ever
reach; they forget them when they see this root, because no key that signed
them is left. That is why one key is never replaced alone. Otherwise, do it
every year or two. No handset needs to be touched.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if online == "" {
				return usagef("--online: the file of public keys that candor-server keys new wrote")
			}
			service, err := ceremony.ReadOnline(online)
			if err != nil {
				return err
			}
			return a.propose(cmd, f, func(s *ceremony.State) (*ceremony.Proposal, error) {
				return ceremony.RotateOnline(s, service, a.now())
			})
		},
	}
	f.register(cmd, "rotate-online.proposal.json")
	cmd.Flags().StringVar(&online, "online", "", "new public keys of the service")
	return cmd
}
