package main

import (
	"context"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/spf13/cobra"
)

func (a *app) initCommand() *cobra.Command {
	var rootKeys, signWith []string
	var online, out string
	var threshold int
	var yes bool
	cmd := &cobra.Command{
		Use:   "init --root-key FILE… --online FILE",
		Short: "Start a system: propose its first root and targets",
		Long: `Start a system: propose version 1 of root (who may sign what) and of targets
(which product is whose). The root holders' public files are given with
--root-key, the service's public keys, as "candor-server init" exported them,
with --online. Each root holder then signs the proposal with "sign".`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if online == "" {
				return usagef("--online: the file of public keys that candor-server init exported")
			}
			keys, err := readPublics(rootKeys)
			if err != nil {
				return err
			}
			service, err := ceremony.ReadOnline(online)
			if err != nil {
				return err
			}
			p, err := ceremony.Init(ceremony.InitOptions{RootKeys: keys, Threshold: threshold, Online: service, Now: a.now()})
			if err != nil {
				return err
			}
			return a.saveAndSign(cmd.Context(), p, out, signWith, yes)
		},
	}
	cmd.Flags().StringArrayVar(&rootKeys, "root-key", nil, "public file of a root holder; once for each")
	cmd.Flags().IntVar(&threshold, "threshold", 2, "how many root holders must sign")
	cmd.Flags().StringVar(&online, "online", "", "public keys of the service")
	cmd.Flags().StringVar(&out, "out", "init.proposal.json", "file of the proposal")
	cmd.Flags().StringArrayVar(&signWith, "sign", nil, "sign at once with this key of your key directory; may be repeated")
	cmd.Flags().BoolVar(&yes, "yes", false, "with --sign: do not ask to type the fingerprint")
	return cmd
}

func (a *app) productCommand() *cobra.Command {
	var engineers, signWith []string
	var out string
	var threshold int
	var yes bool
	var from stateFlags
	cmd := &cobra.Command{
		Use:   "add PRODUCT --engineer FILE… --server URL",
		Short: "Propose a product and name its engineers",
		Long: `Propose a product: a delegation to its engineers, which root holders sign, and
the product's first, empty list of releases, which the engineers sign. An
engineer's key must not be a root holder's key.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			product, err := manifests.ParseProduct(args[0])
			if err != nil {
				return usageError{err}
			}
			keys, err := readPublics(engineers)
			if err != nil {
				return err
			}
			state, err := a.load(cmd.Context(), from)
			if err != nil {
				return err
			}
			p, err := ceremony.AddProduct(state, ceremony.ProductOptions{Product: product, Engineers: keys, Threshold: threshold, Now: a.now()})
			if err != nil {
				return err
			}
			return a.saveAndSign(cmd.Context(), p, orElse(out, string(product)+".proposal.json"), signWith, yes)
		},
	}
	from.register(cmd)
	cmd.Flags().StringArrayVar(&engineers, "engineer", nil, "public file of an engineer; once for each")
	cmd.Flags().IntVar(&threshold, "threshold", 2, "how many engineers must sign a release")
	cmd.Flags().StringVar(&out, "out", "", "file of the proposal (default PRODUCT.proposal.json)")
	cmd.Flags().StringArrayVar(&signWith, "sign", nil, "sign at once with this key of your key directory; may be repeated")
	cmd.Flags().BoolVar(&yes, "yes", false, "with --sign: do not ask to type the fingerprint")
	return group("product", "Add products", cmd)
}

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

func (a *app) renewCommand() *cobra.Command {
	var out string
	var from stateFlags
	cmd := &cobra.Command{
		Use:   "renew root|targets|PRODUCT --server URL",
		Short: "Propose the same metadata with a later expiry",
		Long: `Propose root, targets or a product's list of releases unchanged, with a later
expiry. A product's engineers promise in each list when they will sign the
next one (60 days); handsets tell their owners when that promise is broken, so
the list is renewed even when there is nothing new.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
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
					return usageError{err}
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

// saveAndSign writes a new proposal, signs it with local keys if asked to, and
// prints how far it is.
func (a *app) saveAndSign(ctx context.Context, p *ceremony.Proposal, path string, keys []string, yes bool) error {
	if err := a.save(p, path); err != nil {
		return err
	}
	for _, key := range keys {
		if err := a.signFile(ctx, path, p, signFlags{key: key, yes: yes}); err != nil {
			return err
		}
	}
	return a.printProposal(path, p)
}

func readPublics(files []string) ([]keyring.Public, error) {
	var keys []keyring.Public
	for _, f := range files {
		k, err := keyring.ReadPublic(f)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func orElse(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}
