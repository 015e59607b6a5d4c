package main

import (
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/spf13/cobra"
)

func (a *app) rootCommand() *cobra.Command {
	return cli.Group("root", "Change who and what the root of trust names", a.rootPeople(), a.rootRotateOnline(), a.rootAdopt(), a.rootAttach())
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
				return cli.Usagef("--online: the file of public keys that candor-server keys new wrote")
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

func (a *app) rootPeople() *cobra.Command {
	var f proposing
	var who people
	var only string
	var targets int
	cmd := &cobra.Command{
		Use:   "people --add FILE --remove NAME --replace NAME=FILE --threshold N",
		Short: "Propose other root holders, or another threshold",
		Long: `Propose other root holders, or another threshold: any N of M people, from two on.
Any number of changes go into one proposal, such as from 2 of 3 to 3 of 5.

Enough of those who hold root now must sign it, and enough of those who will.
Everybody who is new must sign it as well: so they show that the key is theirs
and that they can use it. Compare the words of each new key with its person.

Root and targets are signed by the same people, unless --only or
--targets-threshold tells them apart.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if only != "" && only != "root" && only != "targets" {
				return cli.Usagef("--only %q: root or targets", only)
			}
			change, err := who.read()
			if err != nil {
				return err
			}
			o := ceremony.RootPeople{Change: change, Only: only, TargetsThreshold: targets, Now: a.now()}
			return a.propose(cmd, f, func(s *ceremony.State) (*ceremony.Proposal, error) { return ceremony.ChangeRoot(s, o) })
		},
	}
	f.register(cmd, "root-people.proposal.json")
	who.register(cmd)
	cmd.Flags().StringVar(&only, "only", "", "change root or targets alone; they have the same people otherwise")
	cmd.Flags().IntVar(&targets, "targets-threshold", 0, "how many must sign targets (default: as --threshold)")
	return cmd
}
