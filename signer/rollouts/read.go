package rollouts

import (
	"context"
	"fmt"
	"strings"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/candor-ota/candor/signer/operate"
	"github.com/spf13/cobra"
)

func (r *rollouts) listCommand() *cobra.Command {
	var f operate.Filter
	cmd := &cobra.Command{
		Use: "list", Short: "List rollouts, the newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := r.at.Open()
			if err != nil {
				return err
			}
			list, err := client.List(cmd.Context(), f)
			if err != nil {
				return err
			}
			if len(list.Rollouts) == 0 {
				return r.say(list, "no rollouts")
			}
			rows := [][]string{{"ID", "PRODUCT", "BUILD", "CHANNEL", "STATE", "STAGE", "SHARE", "CHANGED", "REASON"}}
			for i := range list.Rollouts {
				x := &list.Rollouts[i]
				rows = append(rows, []string{
					x.Id, x.Product, fmt.Sprint(x.Build), text(x.Channel), string(x.State),
					fmt.Sprintf("%d of %d", x.Stage+1, len(x.Stages)), percent(x.SharePPM), moment(x.Changed), text(x.Reason),
				})
			}
			lines, err := table(rows)
			if err != nil {
				return err
			}
			return r.say(list, lines...)
		},
	}
	cmd.Flags().StringVar(&f.Product, "product", "", "only of this product")
	cmd.Flags().StringVar(&f.Channel, "channel", "", "only of this channel")
	cmd.Flags().StringVar(&f.State, "state", "", "only in this state: draft, proposed, approved, scheduled, active, held, halted, complete, superseded or abandoned")
	return cmd
}

func (r *rollouts) showCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show a rollout: state, verdict, what it waits for, people", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, id, err := r.target(args[0])
			if err != nil {
				return err
			}
			x, err := client.Get(cmd.Context(), id)
			if err != nil {
				return err
			}
			stages, err := stageLines(&x)
			if err != nil {
				return err
			}
			lines := []string{fmt.Sprintf("%s: build %d of %s, channel %s", x.Id, x.Build, x.Product, text(x.Channel)), where(&x)}
			lines = append(lines, outlookLines(&x)...)
			lines = append(append(lines, stages...), peopleLines(&x)...)
			lines = append(lines, fmt.Sprintf("version %d, for --if-match; changed %s", x.Version, moment(x.Changed)))
			return r.say(x, lines...)
		},
	}
}

// outlookLines say what the engine makes of a rollout.
func outlookLines(x *api.Rollout) []string {
	lines, said := []string{}, ""
	if x.Outlook != nil {
		said = x.Outlook.Sentence
	}
	if said != "" {
		lines = append(lines, said)
	}
	if x.Reason != nil && !strings.Contains(said, *x.Reason) {
		lines = append(lines, "reason: "+*x.Reason)
	}
	if x.HaltBound != nil {
		lines = append(lines, x.HaltBound.Sentence)
	}
	if x.Outlook == nil {
		return lines
	}
	for _, f := range x.Outlook.Findings {
		note := ""
		if f.ReportOnly != nil && *f.ReportOnly {
			note = " (only reports)"
		}
		lines = append(lines, fmt.Sprintf("  %-9s %s%s: %s", f.Outcome, f.Rule, note, f.Sentence))
	}
	for _, w := range x.Outlook.Waits {
		if w.Code == api.CodeUndecided { // the findings say it at length
			w.Sentence = "for the votes to prove that it is good"
		}
		lines = append(lines, fmt.Sprintf("  waits     %s [%s]", w.Sentence, w.Code))
	}
	return lines
}

// stageLines are the stages, the present one marked.
func stageLines(x *api.Rollout) ([]string, error) {
	rows := [][]string{{"  STAGE", "SHARE", "SOAK", "MIN VOTES", "PEOPLE", "RULED OUT"}}
	count := func(n *int) string {
		if n == nil || *n == 0 {
			return ""
		}
		return number(int64(*n))
	}
	for i, s := range x.Stages {
		mark := "  "
		if i == x.Stage && x.StageSince != nil {
			mark = "> "
		}
		pass := ""
		if s.PassPPM != nil && *s.PassPPM != 0 {
			pass = percent(*s.PassPPM)
		}
		rows = append(rows, []string{mark + fmt.Sprint(i+1), percent(s.SharePPM), s.Soak, count(s.MinVotes), count(s.Approvals), pass})
	}
	return table(rows)
}

// peopleLines say who did what.
func peopleLines(x *api.Rollout) []string {
	lines := []string{"written by " + x.Author.Name}
	if x.Proposer != nil {
		lines[0] += ", proposed by " + x.Proposer.Name
	}
	for _, a := range x.Approvals {
		words := fmt.Sprintf("approved up to stage %d by %s, %s", a.UpTo+1, a.By.Name, moment(a.At))
		if a.Reason != nil {
			words += ": " + *a.Reason
		}
		lines = append(lines, words)
	}
	if n := x.MissingApprovals; n != nil && *n > 0 {
		lines = append(lines, fmt.Sprintf("stage %d lacks the word of %d more", x.Stage+2, *n))
	}
	if w := x.Resume; w != nil {
		lines = append(lines, fmt.Sprintf("%s wants to resume it; somebody else has to approve that: %s", w.By.Name, text(w.Reason)))
	}
	for _, b := range x.BreakGlass {
		lines = append(lines, fmt.Sprintf("BREAK-GLASS: %s at stage %d by %s, %s: %s", b.Action, b.Stage+1, b.By.Name, moment(b.At), b.Reason))
	}
	return lines
}

func (r *rollouts) timelineCommand() *cobra.Command {
	return &cobra.Command{
		Use: "timeline ID", Short: "Show every change and decision, with the numbers behind it", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, id, err := r.target(args[0])
			if err != nil {
				return err
			}
			list, err := client.Timeline(cmd.Context(), id)
			if err != nil {
				return err
			}
			lines := []string{}
			for i := range list.Entries {
				lines = append(lines, entryLines(&list.Entries[i])...)
			}
			return r.say(list, lines...)
		},
	}
}

// entryLines tell one change: who, what, why, where it led and what was known.
func entryLines(e *api.TimelineEntry) []string {
	d := map[string]any{}
	if e.Detail != nil {
		d = *e.Detail
	}
	what := strings.TrimPrefix(e.What, "rollout.")
	if what == "break-glass" {
		what = fmt.Sprintf("BREAK-GLASS %v", d["action"])
	}
	head := fmt.Sprintf("%s  %-9s %s", moment(e.At), what, e.Who)
	if e.Why != nil {
		head += ": " + *e.Why
	}
	lines := []string{cli.Line(head)}
	state, _ := d["state"].(string)
	stage, counted := d["stage"].(float64)
	ppm, open := d["sharePPM"].(float64)
	if state != "" && counted && open {
		lines = append(lines, cli.Line(fmt.Sprintf("    -> %s, stage %d, %s", state, int(stage)+1, percent(int(ppm)))))
	}
	if v, ok := d["verdict"].(map[string]any); ok {
		lines = append(lines, cli.Line(fmt.Sprintf("    votes: %v: %v", v["outcome"], v["sentence"])))
	}
	return lines
}

func (r *rollouts) templateCommand() *cobra.Command {
	return r.planCommand("template", "Print the plan of a past rollout, made out for another build", (*operate.Client).Template)
}

func (r *rollouts) rescueCommand() *cobra.Command {
	return r.planCommand("rescue", "Print a plan for the handsets that run the build of a halted rollout", (*operate.Client).Rescue)
}

// planSource asks a server for a plan made out of a rollout.
type planSource = func(*operate.Client, context.Context, manifests.Name, manifests.Build) (*rollout.Plan, error)

func (r *rollouts) planCommand(name, short string, ask planSource) *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use: name + " ID --build N", Short: short, Args: cobra.ExactArgs(1),
		Long: short + ".\nIt is YAML, to be looked at, edited and given to create.",
		RunE: func(cmd *cobra.Command, args []string) error {
			build, err := cli.Build(to)
			if err != nil {
				return err
			}
			client, id, err := r.target(args[0])
			if err != nil {
				return err
			}
			plan, err := ask(client, cmd.Context(), id, build)
			if err != nil {
				return err
			}
			data, err := planYAML(plan, fmt.Sprintf("The %s that rollout %s makes for build %d. Shares are in parts per million.", name, id, build))
			if err != nil {
				return err
			}
			return r.say(plan, strings.TrimRight(string(data), "\n"))
		},
	}
	cmd.Flags().StringVar(&to, "build", "", "build that the new rollout is to open (needed)")
	return cmd
}
