package rollouts

import (
	"fmt"
	"strings"

	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/candor-ota/candor/signer/operate"
	"github.com/spf13/cobra"
)

// step is one thing that people do to a rollout.
type step struct {
	name, short, long string
	reason            bool // must be given; otherwise it may
	glass             bool // an admin may go past the rules
}

var steps = []step{
	{name: "propose", short: "Put a draft before the others", long: `
You count as the first who agrees. Where nobody else is needed, the rollout is
approved at once and can be started.`},
	{name: "approve", short: "Agree to what somebody else asked for", long: `
Agree to a rollout that somebody else wrote and proposed, or to the resumption
of a halted one. --up-to limits your word to the stages up to one of them.`},
	{name: "reject", short: "Send a proposed rollout back to its author", reason: true, long: `
All approvals so far are dropped, and the plan can be edited again. On a halted
rollout it turns down the wish to resume it.`},
	{name: "start", short: "Open the first stage, now or when the plan says", glass: true, long: `
A plan with a start time is scheduled and begins by itself. What the engineers
signed (pace, offer) is never passed, not even with --break-glass.`},
	{name: "pause", short: "Let nobody new install, for the time being", reason: true, long: `
Handsets that have not yet restarted into the build do not. The votes are still
watched. resume takes it back; the soak of the stage then begins anew.`},
	{name: "resume", short: "Go on with a paused or halted rollout", reason: true, glass: true, long: `
A paused rollout goes on at once. For a halted one your wish is recorded, and
somebody else has to say approve; until then the exit status is 3.`},
	{name: "halt", short: "Stop a build for good: one person, no questions", reason: true, long: `
Handsets stop installing it as soon as they hear of it; the answer says by when
at the latest. A draft is given up. Only two people together can resume it.`},
	{name: "advance", short: "Open the next stage, or complete the last", glass: true, long: `
With --reason you may go ahead of a verdict that is still open, never against
one, and never past soak, votes, people or pace.`},
	{name: "note", short: "Write something beside the decisions about it", reason: true, long: `
Whoever may halt may explain. The rollout stays as it is, and so does its
version; the note stands in its timeline and in the audit log, and webhooks
tell it.`},
	{name: "abandon", short: "Give up a rollout before it began", reason: true, long: `
For drafts and what was proposed or approved; handsets never hear of it.`},
}

func (r *rollouts) stepCommand(s *step) *cobra.Command {
	var in operate.Step
	var upTo int
	cmd := &cobra.Command{
		Use: s.name + " ID", Short: s.short, Args: cobra.ExactArgs(1),
		Long: s.short + ".\n" + s.long,
		RunE: func(cmd *cobra.Command, args []string) error {
			if (s.reason || in.BreakGlass) && strings.TrimSpace(in.Reason) == "" {
				return cli.Usagef(`say why: --reason "…"; owners and colleagues read it`)
			}
			if cmd.Flags().Changed("up-to") {
				if upTo < 1 {
					return cli.Usagef("--up-to: stages count from 1")
				}
				in.UpTo = new(upTo - 1)
			}
			if in.IfMatch < 0 || in.IfMatch == 0 && cmd.Flags().Changed("if-match") {
				return cli.Usagef("--if-match: give the version that `rollout show` printed")
			}
			client, id, err := r.target(args[0])
			if err != nil {
				return err
			}
			in.Action = s.name
			done, err := client.Take(cmd.Context(), id, in)
			if err != nil {
				return notYet(err)
			}
			return r.stepDone(s, &done)
		},
	}
	f := cmd.Flags()
	if s.reason {
		cmd.Use += " --reason TEXT"
		f.StringVar(&in.Reason, "reason", "", "why; owners and colleagues read it (needed)")
	} else {
		f.StringVar(&in.Reason, "reason", "", "why; owners and colleagues read it")
	}
	if s.glass {
		f.BoolVar(&in.BreakGlass, "break-glass", false, "as an admin, go past people, soak and votes, never past what is signed; needs --reason, and is recorded loudly")
	}
	if s.name == "approve" {
		f.IntVar(&upTo, "up-to", 0, "last stage that you agree to, counted from 1 (default all)")
	}
	f.Int64Var(&in.IfMatch, "if-match", 0, "refuse if it has another version than this one, which show printed")
	return cmd
}

// stepDone prints where a step led.
func (r *rollouts) stepDone(s *step, done *api.Rollout) error {
	lines := []string{fmt.Sprintf("%s: %s (version %d)", done.Id, where(done), done.Version)}
	if done.HaltBound != nil {
		lines = append(lines, done.HaltBound.Sentence)
	}
	waits := s.name == "resume" && done.Resume != nil
	switch {
	case waits:
	case s.name == "halt" && done.State == api.RolloutState("halted"):
		lines = append(lines,
			fmt.Sprintf("Next: have the engineers take the build back (candor-signer withdraw %s %d), since a thief of the server's keys could still offer it.", done.Product, done.Build),
			fmt.Sprintf("For handsets that run it: candor-signer rollout rescue %s --build FIX", done.Id))
	case done.State == "proposed":
		lines = append(lines, "Next: somebody else says candor-signer rollout approve "+done.Id)
	case done.State == "approved":
		lines = append(lines, "Next: candor-signer rollout start "+done.Id)
	case s.name == "start":
		lines = append(lines, "Next: candor-signer rollout watch "+done.Id)
	}
	if err := r.say(done, lines...); err != nil || !waits {
		return err
	}
	return cli.Exit(fmt.Errorf("the wish to resume %s is recorded; somebody else has to say `candor-signer rollout approve %s` [%s]", done.Id, done.Id, api.CodeApprovalNeeded), cli.Waits)
}

// say is print for texts that come from a server.
func (r *rollouts) say(v any, lines ...string) error {
	for i := range lines {
		lines[i] = cli.Clean(lines[i])
	}
	return r.Print(v, lines...)
}
