package rollouts

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/candor-ota/candor/signer/operate"
	"github.com/spf13/cobra"
)

func (r *rollouts) previewCommand() *cobra.Command {
	var fleet int64
	var optIn share
	var handset string
	cmd := &cobra.Command{
		Use: "preview PLAN.yaml --fleet N", Short: "Say what a plan would do to a fleet", Args: cobra.ExactArgs(1),
		Long: `Say what a plan would do to a fleet of so many handsets if it were started now:
when each stage opens at the earliest, how many handsets it holds, whether the
votes can reach a verdict there, and how many a bad build would harm. Nothing is
recorded.

--handset asks what one handset would do at each stage, for example
  --handset model=mi3,build=41,position=0.7%
where position is its place in the order (client status shows it); region,
channel and epoch may be given too.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			plan, err := readPlan(args[0])
			if err != nil {
				return err
			}
			if fleet < 1 {
				return cli.Usagef("--fleet: say how many handsets there are")
			}
			q := operate.Question{Plan: plan, Fleet: fleet, OptIn: optIn.ppm}
			if handset != "" {
				if q.Handset, err = handsetOf(handset); err != nil {
					return err
				}
			}
			client, err := r.at.Open()
			if err != nil {
				return err
			}
			p, err := client.Preview(cmd.Context(), q)
			if err != nil {
				return err
			}
			lines, err := previewLines(&p)
			if err != nil {
				return err
			}
			return r.say(p, lines...)
		},
	}
	cmd.Flags().Int64Var(&fleet, "fleet", 0, "handsets that the audience holds (needed)")
	cmd.Flags().Var(&optIn, "opt-in", "share of owners who report, such as 12% (default what was seen before)")
	cmd.Flags().StringVar(&handset, "handset", "", "a handset to ask: model=…,build=…,position=…")
	return cmd
}

// handsetOf reads model=mi3,build=41,position=0.7%.
func handsetOf(s string) (*api.SampleHandset, error) {
	h := &api.SampleHandset{}
	seen := map[string]bool{}
	for _, part := range strings.Split(s, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok || value == "" || seen[name] {
			return nil, cli.Usagef("--handset: %q; write model=…,build=…,position=…, each once", part)
		}
		seen[name] = true
		if err := setHandset(h, name, value); err != nil {
			return nil, cli.Usagef("--handset: %s: %w", name, err)
		}
	}
	for _, name := range []string{"model", "build", "position"} {
		if !seen[name] {
			return nil, cli.Usagef("--handset: %s is missing; write model=…,build=…,position=…", name)
		}
	}
	return h, nil
}

func setHandset(h *api.SampleHandset, name, value string) error {
	switch name {
	case "model":
		h.Model = value
	case "region":
		h.Region = &value
	case "channel":
		h.Channel = &value
	case "build":
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 {
			return fmt.Errorf("%q is no build number", value)
		}
		h.Build = n
	case "epoch":
		n, err := strconv.ParseUint(value, 10, 31)
		if err != nil {
			return fmt.Errorf("%q is no security epoch", value)
		}
		h.SecurityEpoch = new(int(n))
	case "position":
		var p share
		if err := p.Set(value); err != nil {
			return err
		}
		if p.ppm >= manifests.WholeFleet {
			return fmt.Errorf("%s; positions lie below 100%%", value)
		}
		h.PositionPPM = int(p.ppm)
	default:
		return fmt.Errorf("is not known; use model, build, position, region, channel, epoch")
	}
	return nil
}

func previewLines(p *api.Preview) ([]string, error) {
	rows := [][]string{{"STAGE", "SHARE", "HANDSETS", "OPENS", "VOTES", "TO PASS", "DECIDES", "PEOPLE", "BAD BUILD"}}
	sample, pace, few := []string{}, false, false
	for i, s := range p.Stages {
		opens := "never"
		if s.Earliest != nil {
			opens = moment(*s.Earliest)
		}
		if s.WaitsForPace != nil && *s.WaitsForPace {
			opens, pace = opens+" *", true
		}
		needed, halted := "", ""
		if s.VotesToPass != nil {
			needed = number(*s.VotesToPass)
		}
		if s.HaltedChance != nil {
			halted = fmt.Sprintf("%.0f %% halted", 100**s.HaltedChance)
		}
		decides := "yes"
		if !s.Decides {
			decides, few = "no", true
		}
		rows = append(rows, []string{
			fmt.Sprint(i + 1), percent(s.SharePPM), number(s.Handsets), opens, number(s.Votes), needed, decides, fmt.Sprint(s.Approvals), halted,
		})
		if s.Sample != nil {
			sample = append(sample, fmt.Sprintf("the handset at stage %d: %s [%s]", i+1, *s.Sample, text(s.SampleCode)))
		}
	}
	lines, err := table(rows)
	if err != nil {
		return nil, err
	}
	if pace {
		lines = append(lines, "* waits for the pace that the engineers signed")
	}
	if few {
		lines = append(lines, "A stage that does not decide has too few voters for a verdict of its own; the votes add up in the next.")
	}
	lines = append(lines, fmt.Sprintf("%s of owners report (%s)", percent(p.OptInPPM), p.OptInSource))
	if p.EarliestFinish != nil {
		lines = append(lines, "open to all at "+moment(*p.EarliestFinish)+" at the earliest")
	}
	lines = append(lines, fmt.Sprintf("a build of which %s fail harms %.0f handsets on average before it is halted, %s at most", percent(p.BadBuildPPM), p.Harmed, number(p.HarmedAtMost)))
	lines = append(lines, sample...)
	for _, w := range p.Warnings {
		lines = append(lines, "warning: "+w)
	}
	return append(lines, p.Sentence), nil
}

func (r *rollouts) stagesCommand() *cobra.Command {
	w := operate.Wish{}
	var optIn, failures share
	var soak string
	cmd := &cobra.Command{
		Use: "stages --fleet N --max-harmed N --soak 24h", Short: "Choose stages by how many handsets may be harmed", Args: cobra.NoArgs,
		Long: `Choose the stages that keep a budget: the first is no larger than the handsets
that a bad build may harm, and each is left only when the votes prove that the
next keeps it too. Prints YAML, to be pasted into a plan.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if w.Fleet < 1 || w.MaxHarmed < 1 {
				return cli.Usagef("--fleet and --max-harmed: say how many handsets there are, and how many a bad build may harm")
			}
			var err error
			if w.Soak, err = manifests.ParseDuration(soak); err != nil {
				return cli.Usagef("--soak: %w", err)
			}
			w.OptIn, w.Failures = optIn.ppm, failures.ppm
			client, err := r.at.Open()
			if err != nil {
				return err
			}
			list, err := client.Stages(cmd.Context(), w)
			if err != nil {
				return err
			}
			stages, err := stageList(&list)
			if err != nil {
				return err
			}
			budget := rollout.Budget{MaxHarmed: uint32(w.MaxHarmed), Fleet: uint64(w.Fleet)}
			return r.say(list, stagesYAML(stages, budget, list.Sentence)...)
		},
	}
	f := cmd.Flags()
	f.Int64Var(&w.Fleet, "fleet", 0, "handsets that the audience holds (needed)")
	f.IntVar(&w.MaxHarmed, "max-harmed", 0, "handsets that a bad build may harm (needed)")
	f.StringVar(&soak, "soak", "24h", "shortest stay in a stage: a whole number and s, m, h or d")
	f.StringVar(&w.Product, "product", "", "product whose opt-in rate is used")
	f.Var(&optIn, "opt-in", "share of owners who report, such as 12% (default what was seen before)")
	f.Var(&failures, "failures", "worst failure rate that you accept, such as 2% (default that of plans)")
	return cmd
}
