package main

import (
	"fmt"
	"strings"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/spf13/cobra"
)

func (a *app) ceremonyCommand() *cobra.Command {
	return cli.Group("ceremony", "Plan a ceremony on paper, and keep what happened", a.ceremonyPlan(), a.ceremonyTranscript(), a.ceremonyVerify())
}

func (a *app) ceremonyPlan() *cobra.Command {
	var from stateFlags
	var who, leaving []string
	var product, out string
	var threshold int
	var markdown bool
	cmd := &cobra.Command{
		Use:   "plan init|people|online|renew|product [--server URL] [--people FILE…]",
		Short: "Write the runbook of a ceremony: who, where, what to type, what to see",
		Long: `Write the runbook of a ceremony, to be printed: who takes part and with which
key, on which computer, each command to type, what must be on the screen, what
to compare aloud, what can go wrong and what to do then. Every line that must be
true has a box to tick.

It is made from what is published (--server, --from-dir): names, thresholds,
versions and words are the real ones. Only "init" needs nothing published.
--people gives the public files of those who join, for "init" of all holders.

The occasions: init, the first root; people, other root holders or thresholds;
online, new keys of the service; renew, root and targets live on; product, other
engineers of a product.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o := ceremony.PlanOptions{Occasion: ceremony.Occasion(args[0]), Server: from.settled().server, Leaving: leaving, Threshold: threshold, Now: a.now()}
			var err error
			if o.New, err = readPublics(who); err != nil {
				return err
			}
			if o.Occasion == ceremony.OccasionProduct {
				if o.Product, err = manifests.ParseProduct(product); err != nil {
					return cli.Wrong(fmt.Errorf("--product: %w", err))
				}
			}
			var state *ceremony.State
			if o.Occasion != ceremony.OccasionInit {
				if state, err = a.load(cmd.Context(), from); err != nil {
					return err
				}
			}
			book, err := ceremony.Plan(state, o)
			if err != nil {
				return err
			}
			page := book.Text()
			if markdown || strings.HasSuffix(out, ".md") {
				page = book.Markdown()
			}
			if out == "" {
				return a.print(book, strings.TrimSuffix(page, "\n"))
			}
			if err := refuseExisting(out); err != nil {
				return err
			}
			return keyring.WriteFile(out, []byte(page), 0o644)
		},
	}
	from.register(cmd)
	cmd.Flags().StringArrayVar(&who, "people", nil, "public file of somebody who joins; once for each")
	cmd.Flags().StringArrayVar(&leaving, "leaving", nil, "name of somebody who leaves; once for each")
	cmd.Flags().StringVar(&product, "product", "", "product whose engineers change")
	cmd.Flags().IntVar(&threshold, "threshold", 0, "how many must sign from now on (default: as now)")
	cmd.Flags().BoolVar(&markdown, "markdown", false, "write Markdown (always, for --out with the ending .md)")
	cmd.Flags().StringVar(&out, "out", "", "file to write (default: standard output)")
	return cmd
}

func (a *app) ceremonyTranscript() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "transcript PROPOSAL",
		Short: "Write what happened: who signed what, when, with which key",
		Long: `Write a page about a finished proposal: what was signed, in words; each
signature with its person, time and key; the hash of each file that came of it.
The proposal with every signature is at the end of the page, so that anybody can
verify the page (verify-transcript), without this directory and in years.

The same proposal gives the same page.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := ceremony.Read(args[0])
			if err != nil {
				return err
			}
			page, err := p.Transcript()
			if err != nil {
				return err
			}
			name := orElse(out, strings.TrimSuffix(strings.TrimSuffix(args[0], ".json"), ".proposal")+".transcript.md")
			if err := refuseExisting(name); err != nil {
				return err
			}
			if err := keyring.WriteFile(name, page, 0o644); err != nil {
				return err
			}
			return a.print(struct {
				Transcript string `json:"transcript"`
				Words      string `json:"words"`
			}{name, p.Words()}, "wrote "+name, "fingerprint: "+p.Words())
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "file to write (default: the proposal's name with .transcript.md)")
	return cmd
}

func (a *app) ceremonyVerify() *cobra.Command {
	return &cobra.Command{
		Use:   "verify-transcript FILE",
		Short: "Verify a transcript: its signatures, and that its page says what they sign",
		Long: `Verify a transcript: every signature and statement of the proposal at its end,
from the root that you trust, and that the page is what that proposal says, to
the letter. A transcript of the first root is compared with --root 1.root.json,
or with what your key directory has accepted.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			page, err := keyring.ReadFile(args[0], ceremony.MaxTranscript)
			if err != nil {
				return err
			}
			p, err := ceremony.ReadTranscript(page)
			if err != nil {
				return err
			}
			anchor, err := a.anchor()
			if err != nil {
				return err
			}
			if err := p.TrustedBy(anchor); err != nil {
				return err
			}
			info := infoOfProposal(args[0], p)
			return a.print(info, append([]string{"holds: " + args[0]}, info.lines()[1:]...)...)
		},
	}
}
