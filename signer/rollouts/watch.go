package rollouts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/candor-ota/candor/signer/operate"
	"github.com/spf13/cobra"
)

// watch follows one rollout.
type watch struct {
	*rollouts
	client  *operate.Client
	id      manifests.Name
	until   rollout.State // empty: until nothing more happens by itself
	every   time.Duration
	timeout time.Duration // 0: none
	screen  *screen       // nil where the output is no terminal
}

// untils are the states that may be waited for.
var untils = []rollout.State{rollout.Active, rollout.Complete, rollout.Halted, rollout.Held}

func (r *rollouts) watchCommand() *cobra.Command {
	w := watch{rollouts: r}
	var until string
	cmd := &cobra.Command{
		Use: "watch ID", Short: "Watch a rollout live, or wait until it is somewhere", Args: cobra.ExactArgs(1),
		Long: `Watch a rollout. On a terminal the view is redrawn in place; elsewhere each change
is a line (with --json an object a line, as the API has it). It ends when
nothing more happens by itself: complete, halted, superseded, abandoned.

--until waits for a state, for pipelines:
  0  it was reached (a complete rollout has been active)
  1  it cannot be reached any more
  3  --timeout came first
  4  the rollout was halted, and that was not what you waited for
A server that cannot be reached is waited for.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			w.until = rollout.State(until)
			if until != "" && !slices.Contains(untils, w.until) {
				return cli.Usagef("--until: %q; use active, complete, halted or held", until)
			}
			if w.every < 100*time.Millisecond || w.timeout < 0 {
				return cli.Usagef("--every is at least 100ms, --timeout not below 0")
			}
			var err error
			if w.client, w.id, err = r.target(args[0]); err != nil {
				return err
			}
			if f := r.Terminal(); f != nil {
				w.screen = &screen{out: f, size: func() (int, int) { return sizeOf(f) }}
			}
			return w.run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&until, "until", "", "wait for active, complete, halted or held")
	cmd.Flags().DurationVar(&w.timeout, "timeout", 0, "give up after this long, such as 2h (default never)")
	cmd.Flags().DurationVar(&w.every, "every", 2*time.Second, "how often to look")
	return cmd
}

// run looks again and again until the watch is over.
func (w *watch) run(ctx context.Context) error {
	outer := ctx
	if w.timeout > 0 {
		var done context.CancelFunc
		ctx, done = context.WithTimeout(ctx, w.timeout)
		defer done()
	}
	var last *api.Rollout
	away := false
	for {
		now, err := w.client.Look(ctx, w.id)
		switch {
		case err == nil:
			away = false
			if err := w.show(last, &now); err != nil {
				return err
			}
			if over, err := w.over(&now); over {
				return err
			}
			last = &now
		case ctx.Err() != nil:
			return w.ended(outer, last)
		case !errors.Is(err, operate.ErrAgain):
			return err
		case !away:
			away = true
			if err := w.Tell(cli.Clean(err.Error()) + "; still trying"); err != nil {
				return err
			}
			if w.screen != nil {
				w.screen.drawn = 0 // what stands above stays
			}
		}
		if err := w.client.Pause(ctx, w.every); err != nil {
			return w.ended(outer, last)
		}
	}
}

// ended says why a watch ended before the rollout was anywhere.
func (w *watch) ended(outer context.Context, last *api.Rollout) error {
	words := "the server was never reached"
	if last != nil {
		words = "it is " + where(last)
	}
	if outer.Err() == nil {
		return cli.Exit(fmt.Errorf("rollout %s: not there after %s; %s", w.id, w.timeout, words), cli.Waits)
	}
	if w.until == "" && last != nil {
		return nil // somebody has seen enough
	}
	return fmt.Errorf("rollout %s: the watch was broken off; %s", w.id, words)
}

// over tells whether the watch is over, and with what exit status.
func (w *watch) over(r *api.Rollout) (bool, error) {
	state := rollout.State(r.State)
	switch {
	case state == w.until, state == rollout.Complete && w.until == rollout.Active:
		return true, nil
	case state == rollout.Halted:
		return true, cli.Exit(fmt.Errorf("rollout %s was halted: %s", w.id, text(r.Reason)), cli.Halted)
	case state == rollout.Complete && w.until == rollout.Halted: // it still may be
		return false, nil
	case state == rollout.Complete || state == rollout.Superseded || state == rollout.Abandoned:
		if w.until == "" {
			return true, nil
		}
		return true, fmt.Errorf("rollout %s is %s and will not be %s", w.id, state, w.until)
	}
	return false, nil
}

// show shows what was seen now, if it differs from what was seen before.
func (w *watch) show(before, now *api.Rollout) error {
	if w.screen != nil {
		return w.screen.draw(viewLines(now, w.Now()))
	}
	if before != nil && traits(before) == traits(now) {
		return nil
	}
	return w.say(now, changeLine(now, w.Now()))
}

// traits are what makes a line worth printing; the countdown is none.
func traits(r *api.Rollout) string {
	out := []string{fmt.Sprint(r.Version), string(r.State), fmt.Sprint(r.Stage, r.SharePPM)}
	if o := r.Outlook; o != nil {
		if o.Outcome != nil {
			out = append(out, string(*o.Outcome))
		}
		for _, f := range o.Findings {
			out = append(out, f.Rule, string(f.Outcome), f.Sentence)
		}
		for _, w := range o.Waits {
			out = append(out, w.Code)
		}
	}
	return strings.Join(out, "\n")
}

// changeLine is one change for a log.
func changeLine(r *api.Rollout, now time.Time) string {
	words := text(r.Reason)
	if r.Outlook != nil && r.Outlook.Sentence != "" {
		words = r.Outlook.Sentence
	}
	if words != "" {
		words = ": " + words
	}
	return cli.Line(fmt.Sprintf("%s  %s%s", manifests.At(now), where(r), words))
}

// viewLines are the live view.
func viewLines(r *api.Rollout, now time.Time) []string {
	lines := []string{
		fmt.Sprintf("%s   build %d of %s, channel %s   %s", r.Id, r.Build, r.Product, text(r.Channel), now.UTC().Format("15:04:05 UTC")),
		fmt.Sprintf("%s  %s", bar(r.SharePPM), where(r)),
	}
	if left, ok := soakLeft(r, now); ok {
		lines = append(lines, "soak: "+left)
	}
	lines = append(lines, outlookLines(r)...)
	if n := r.MissingApprovals; n != nil && *n > 0 {
		lines = append(lines, fmt.Sprintf("stage %d lacks the word of %d more", r.Stage+2, *n))
	}
	for i := range lines {
		lines[i] = cli.Line(lines[i])
	}
	return lines
}

const barWidth = 40

// bar shows a share; what is open at all is at least one mark.
func bar(ppm int) string {
	n := min((max(ppm, 0)*barWidth+int(manifests.WholeFleet)-1)/int(manifests.WholeFleet), barWidth)
	return "[" + strings.Repeat("#", n) + strings.Repeat(".", barWidth-n) + "]"
}

// soakLeft says how much of the stage's soak is left.
func soakLeft(r *api.Rollout, now time.Time) (string, bool) {
	if r.State != api.RolloutState(rollout.Active) || r.StageSince == nil || r.Stage >= len(r.Stages) {
		return "", false
	}
	soak, err := manifests.ParseDuration(r.Stages[r.Stage].Soak)
	if err != nil {
		return "", false
	}
	left := r.StageSince.Add(soak.Duration).Sub(now)
	if left <= 0 {
		return "over", true
	}
	return fmt.Sprintf("%s left of %s", manifests.Span(left), soak), true
}
