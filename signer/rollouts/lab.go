package rollouts

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/spf13/cobra"
)

func (r *rollouts) labCommand() *cobra.Command {
	cmd := cli.Group("lab", "Show what lab handsets report by name, and mute those that are wrong",
		r.labListCommand(), r.labMuteCommand(true), r.labMuteCommand(false))
	cmd.Long = `Lab handsets report by name, and one failure of theirs halts a rollout. One that
is broken itself is muted, with a reason: the engine no longer listens to it.`
	return cmd
}

func (r *rollouts) labListCommand() *cobra.Command {
	var product, to string
	cmd := &cobra.Command{
		Use: "list --product NAME --build N", Short: "List what lab handsets said about a build, the oldest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := manifests.ParseProduct(product)
			if err != nil {
				return cli.Usagef("--product: %w", err)
			}
			build, err := cli.Build(to)
			if err != nil {
				return err
			}
			client, err := r.at.Open()
			if err != nil {
				return err
			}
			list, err := client.LabReports(cmd.Context(), p, build)
			if err != nil {
				return err
			}
			if len(list.Reports) == 0 {
				return r.say(list, "no lab reports")
			}
			rows := [][]string{{"TIME", "BATCH", "ABOUT", "OUTCOME", "REASON", "MUTED", "KEY"}}
			for _, x := range list.Reports {
				muted := ""
				if x.Muted {
					muted = "muted"
				}
				outcome := text(x.Outcome)
				if x.Failed {
					outcome = strings.TrimSpace("FAILED " + outcome)
				}
				rows = append(rows, []string{moment(x.At), x.Batch, x.Class, outcome, text(x.Reason), muted, x.DeviceKey})
			}
			lines, err := table(rows)
			if err != nil {
				return err
			}
			return r.say(list, lines...)
		},
	}
	cmd.Flags().StringVar(&product, "product", "", "product (needed)")
	cmd.Flags().StringVar(&to, "build", "", "build (needed)")
	return cmd
}

var deviceKeyForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// muted is the result of lab mute and unmute as --json prints it.
type muted struct {
	DeviceKey string `json:"deviceKey"`
	Muted     bool   `json:"muted"`
}

func (r *rollouts) labMuteCommand(mute bool) *cobra.Command {
	name, short := "mute", "Make the engine deaf to a lab handset"
	if !mute {
		name, short = "unmute", "Make the engine hear a lab handset again"
	}
	var reason string
	cmd := &cobra.Command{
		Use: name + " KEY --reason TEXT", Short: short, Args: cobra.ExactArgs(1),
		Long: short + ".\nKEY is its device key, 64 hexadecimal digits, as lab list prints it.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if !deviceKeyForm.MatchString(args[0]) {
				return cli.Usagef("KEY is the device key that lab list prints: 64 hexadecimal digits")
			}
			if strings.TrimSpace(reason) == "" {
				return cli.Usagef(`say why: --reason "…"`)
			}
			client, err := r.at.Open()
			if err != nil {
				return err
			}
			do := client.Unmute
			if mute {
				do = client.Mute
			}
			if err := do(cmd.Context(), args[0], reason); err != nil {
				return err
			}
			return r.say(muted{args[0], mute}, fmt.Sprintf("%s…: %sd", args[0][:12], name))
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; it is recorded (needed)")
	return cmd
}
