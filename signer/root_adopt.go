package main

import (
	"fmt"

	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/spf13/cobra"
)

func (a *app) rootAdopt() *cobra.Command {
	var roots, rootKeys, signWith []string
	var online, out, unsigned string
	var threshold int
	var version int64
	var yes bool
	cmd := &cobra.Command{
		Use:   "adopt --from 1.root.json --from 2.root.json … --root-key FILE… --online FILE",
		Short: "Propose to go on from the roots of another TUF tool",
		Long: `Propose to go on from the roots of another TUF tool (python-tuf, tuf-on-ci,
tough …), for handsets that left the factory with one of them. Give every root of
the old system, version 1 first: they are verified with the library that
handsets use. The proposal is the next version of that chain, as "init" would
make it. Nothing else of the old system is taken over.

Enough of the old people must sign it, and everybody new. An old Ed25519 or P-256
key signs with this program after "key import". Any other key signs with its own
tool the file that --unsigned writes; "root attach" takes the signature from it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if online == "" || len(roots) == 0 {
				return cli.Usagef("--from and --online: every root of the old system, and the public keys of the new service")
			}
			o := ceremony.AdoptOptions{TargetsVersion: version}
			for _, name := range roots {
				data, err := keyring.ReadFile(name, layout.MaxMetadataBytes)
				if err != nil {
					return err
				}
				o.Roots = append(o.Roots, data)
			}
			var err error
			if o.RootKeys, err = readPublics(rootKeys); err != nil {
				return err
			}
			if o.Online, err = ceremony.ReadOnline(online); err != nil {
				return err
			}
			o.Threshold, o.Now = threshold, a.now()
			p, err := ceremony.Adopt(o)
			if err != nil {
				return err
			}
			if unsigned != "" {
				if err := writeRoot(p, unsigned); err != nil {
					return err
				}
			}
			return a.saveAndSign(cmd.Context(), p, out, signWith, yes)
		},
	}
	cmd.Flags().StringArrayVar(&roots, "from", nil, "a root file of the old system; all of them, version 1 first")
	cmd.Flags().StringArrayVar(&rootKeys, "root-key", nil, "public file of a root holder from now on; once for each")
	cmd.Flags().IntVar(&threshold, "threshold", 2, "how many root holders must sign from now on")
	cmd.Flags().StringVar(&online, "online", "", "public keys of the service")
	cmd.Flags().Int64Var(&version, "targets-version", 1, "first version of targets; above the old one's if both trees are served at one address")
	cmd.Flags().StringVar(&unsigned, "unsigned", "", "also write the root to this file, for old keys to sign with their own tool")
	cmd.Flags().StringVar(&out, "out", "adopt.proposal.json", "file of the proposal")
	cmd.Flags().StringArrayVar(&signWith, "sign", nil, "sign at once with this key of your key directory; may be repeated")
	cmd.Flags().BoolVar(&yes, "yes", false, "with --sign: do not ask to type the fingerprint")
	return cmd
}

func writeRoot(p *ceremony.Proposal, name string) error {
	if err := refuseExisting(name); err != nil {
		return err
	}
	data, err := p.UnsignedRoot()
	if err != nil {
		return err
	}
	return keyring.WriteFile(name, append(data, '\n'), 0o644)
}

func (a *app) rootAttach() *cobra.Command {
	var write string
	cmd := &cobra.Command{
		Use:   "attach PROPOSAL [SIGNED-ROOT.json]",
		Short: "Take signatures of the old people that another tool made",
		Long: `Take signatures of the old people that another tool made: out of the root file
that "root adopt --unsigned" wrote, or that --write writes now, after it was
signed there. What it signs must be the proposal's root to the byte. Signatures
that do not hold, or of other keys, are left alone.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := ceremony.Read(args[0])
			if err != nil {
				return err
			}
			if len(args) == 1 {
				if write == "" {
					return cli.Usagef("give the root file that was signed, or --write FILE")
				}
				return writeRoot(p, write)
			}
			data, err := keyring.ReadFile(args[1], layout.MaxMetadataBytes)
			if err != nil {
				return err
			}
			names, err := p.Attach(data)
			if err != nil {
				return fmt.Errorf("%s: %w", args[1], err)
			}
			if err := p.Write(args[0]); err != nil {
				return err
			}
			for _, name := range names {
				if err := a.tell("took the signature of " + name); err != nil {
					return err
				}
			}
			return a.printProposal(args[0], p)
		},
	}
	cmd.Flags().StringVar(&write, "write", "", "write the root with the signatures so far to this file")
	return cmd
}
