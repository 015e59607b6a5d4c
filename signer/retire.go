package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/spf13/cobra"
)

const keepNeeded = "current,stepping-stones"

func (a *app) retireCommand() *cobra.Command {
	var out, keep string
	var from treeFlags
	cmd := &cobra.Command{
		Use:   "retire PRODUCT --keep " + keepNeeded + " | retire PRODUCT BUILD…",
		Short: "Propose a list of releases without old builds that no handset needs",
		Long: `Propose a product's list of releases without old builds. Kept, and named, are the
newest build of each model, whatever a rollout offers now, and stepping stones:
builds that older handsets have to install first, because a newer one's
compatible.minBuild shuts them out. With BUILD… exactly these are retired; one that
handsets need is refused.

A retired release is good, only no longer offered: the server archives it with its
proof, which "archive verify" checks for ever, and removes its images some days
later. A bad build is withdrawn instead (see withdraw). A retired build does not
come back; what it carries can, as a new, higher build.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			product, err := manifests.ParseProduct(args[0])
			if err != nil {
				return cli.Wrong(err)
			}
			if (len(args) == 1) == (keep == "") || keep != "" && keep != keepNeeded && keep != "stepping-stones,current" {
				return cli.Usagef("give --keep %s, or the builds to retire", keepNeeded)
			}
			state, err := a.load(cmd.Context(), stateFlags{treeFlags: from})
			if err != nil {
				return err
			}
			src, err := from.source()
			if err != nil {
				return err
			}
			anchor, err := a.anchor()
			if err != nil {
				return err
			}
			offered, err := ceremony.Offered(cmd.Context(), src, anchor, product, a.now())
			if err != nil {
				return err
			}
			r, err := ceremony.Retirable(state, product, offered)
			if err != nil {
				return err
			}
			if keep == "" {
				r.Gone = nil
				for _, text := range args[1:] {
					build, err := cli.Build(text)
					if err != nil {
						return err
					}
					r.Gone = append(r.Gone, build)
				}
			}
			for _, b := range slices.Sorted(maps.Keys(r.Kept)) {
				if err := a.tell(fmt.Sprintf("kept: build %d; %s", b, r.Kept[b])); err != nil {
					return err
				}
			}
			if len(r.Gone) == 0 {
				return fmt.Errorf("%s has no release that can be retired: handsets need all that are live", product)
			}
			p, err := ceremony.RetireReleases(state, product, r.Gone, offered, a.now())
			if err != nil {
				return err
			}
			return a.saveAndSign(cmd.Context(), p, orElse(out, args[0]+"-retire.proposal.json"), nil, false)
		},
	}
	from.register(cmd)
	cmd.Flags().StringVar(&keep, "keep", "", "retire all but these: "+keepNeeded)
	cmd.Flags().StringVar(&out, "out", "", "file of the proposal (default PRODUCT-retire.proposal.json)")
	return cmd
}
