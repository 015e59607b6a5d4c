package main

import (
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/spf13/cobra"
)

func (a *app) productCommand() *cobra.Command {
	return cli.Group("product", "Add and retire products, and change their engineers", a.productAdd(), a.productPeople(), a.productRetire())
}

func (a *app) productAdd() *cobra.Command {
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
				return cli.Wrong(err)
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
	return cmd
}

func (a *app) productPeople() *cobra.Command {
	var f proposing
	var who people
	var withdraw []int64
	cmd := &cobra.Command{
		Use:   "people PRODUCT --add FILE --remove NAME --replace NAME=FILE --threshold N",
		Short: "Propose other engineers of a product",
		Long: `Propose other engineers of a product, or another threshold. Root holders sign
who they are; the engineers of tomorrow sign the list of releases anew in the
same proposal, everybody who is new among them. Both are published in one step,
so that no handset finds a list that too few of its engineers signed.

Everybody who signs is told on whose signatures each live release rests. When a
key was stolen, replace it, look at what it signed, and leave out with
--withdraw what you cannot vouch for.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			product, err := manifests.ParseProduct(args[0])
			if err != nil {
				return cli.Wrong(err)
			}
			change, err := who.read()
			if err != nil {
				return err
			}
			o := ceremony.ProductPeople{Product: product, Change: change, Now: a.now()}
			for _, b := range withdraw {
				o.Withdraw = append(o.Withdraw, manifests.Build(b))
			}
			f.out = orElse(f.out, args[0]+"-people.proposal.json")
			return a.propose(cmd, f, func(s *ceremony.State) (*ceremony.Proposal, error) { return ceremony.ChangeEngineers(s, o) })
		},
	}
	f.register(cmd, "")
	who.register(cmd)
	cmd.Flags().Int64SliceVar(&withdraw, "withdraw", nil, "builds that the new list leaves out")
	return cmd
}

func (a *app) productRetire() *cobra.Command {
	var f proposing
	cmd := &cobra.Command{
		Use:   "retire PRODUCT --server URL",
		Short: "Propose that a product have no releases any more",
		Long: `Propose that a product have no releases any more: every build is withdrawn.
Its handsets keep what they run, and are offered nothing. The role itself stays,
empty, for ever: a tree in which it is missing would be refused by every
handset, also of other products.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			product, err := manifests.ParseProduct(args[0])
			if err != nil {
				return cli.Wrong(err)
			}
			f.out = orElse(f.out, args[0]+"-retire.proposal.json")
			return a.propose(cmd, f, func(s *ceremony.State) (*ceremony.Proposal, error) {
				return ceremony.RetireProduct(s, product, a.now())
			})
		},
	}
	f.register(cmd, "")
	return cmd
}
