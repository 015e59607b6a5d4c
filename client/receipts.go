package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/client/handset"
	"github.com/candor-ota/candor/client/receipts"
	"github.com/candor-ota/candor/manifests"
)

// shownReceipts is the JSON form.
type shownReceipts struct {
	Holds      bool              `json:"holds"`
	Damage     string            `json:"damage,omitempty"`
	Unfinished int               `json:"unfinishedBytes,omitempty"`
	Head       *manifests.SHA256 `json:"head,omitempty"`
	Count      int               `json:"count"`
	Entries    []receipts.Entry  `json:"entries,omitempty"`
}

func receiptsCommand(o *options) *cobra.Command {
	var verify bool
	cmd := &cobra.Command{
		Use:   "receipts",
		Short: "Everything that updates did here, what was asked, and what was sent, to the letter",
		Long: "Show the owner's receipt: a chained log that stays on this handset. It is verified\n" +
			"from end to end; if it does not hold, the exit status is 1. It can be read while\n" +
			"`run` runs.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := agent.LoadConfig(o.config)
			if err != nil {
				return err
			}
			chain, damage := handset.Receipts(config)
			if chain == nil {
				return damage
			}
			if err := o.showReceipts(cmd, chain, damage, verify); err != nil {
				return err
			}
			return damage
		},
	}
	cmd.Flags().BoolVar(&verify, "verify", false, "only say whether the chain holds")
	return cmd
}

func (o *options) showReceipts(cmd *cobra.Command, c *receipts.Chain, damage error, verify bool) error {
	s := shownReceipts{Holds: damage == nil, Unfinished: c.Unfinished, Count: len(c.Entries)}
	if damage != nil {
		s.Damage = damage.Error()
	}
	var words strings.Builder
	if !verify {
		s.Entries = c.Entries
		for i := range c.Entries {
			fmt.Fprintln(&words, &c.Entries[i])
		}
	}
	switch n := len(c.Entries); {
	case n == 0:
		words.WriteString("There are no receipts yet.")
	case damage != nil:
		fmt.Fprintf(&words, "Only the entries up to #%d hold.", c.Entries[n-1].Seq)
	default:
		fmt.Fprintf(&words, "The chain holds from #%d to #%d. Note its newest hash, and you will see if it is ever written anew:\n%s", c.Entries[0].Seq, c.Entries[n-1].Seq, c.Head())
	}
	if len(c.Entries) > 0 {
		s.Head = new(c.Head())
	}
	if c.Unfinished > 0 {
		words.WriteString("\nA line at the end is not finished; the next one will take it away.")
	}
	return o.print(cmd, s, words.String())
}
