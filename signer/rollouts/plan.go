package rollouts

import (
	"errors"
	"fmt"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/candor-ota/candor/signer/operate"
	"github.com/spf13/cobra"
)

// readPlan reads a plan as its author wrote it, and checks all that it says
// about itself.
func readPlan(path string) (*rollout.Plan, error) {
	data, err := keyring.ReadFile(path, rollout.MaxBytes)
	if err != nil {
		return nil, err
	}
	plan, err := rollout.ParsePlan(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return plan, nil
}

func (r *rollouts) createCommand() *cobra.Command {
	return &cobra.Command{
		Use: "create PLAN.yaml", Short: "Make a draft out of a plan and print its ID", Args: cobra.ExactArgs(1),
		Long: `Make a draft out of a plan and print its ID.

The plan is checked here before anything is sent, then held against the signed
release by the server. manifests/examples has plans to begin with.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			plan, err := readPlan(args[0])
			if err != nil {
				return err
			}
			client, err := r.at.Open()
			if err != nil {
				return err
			}
			made, err := client.Create(cmd.Context(), plan)
			if err != nil {
				return err
			}
			return errors.Join(r.say(made, made.Id), r.Tell(cli.Clean("next: candor-signer rollout propose "+made.Id)))
		},
	}
}

func (r *rollouts) editCommand() *cobra.Command {
	var version int64
	cmd := &cobra.Command{
		Use: "edit ID PLAN.yaml", Short: "Write another plan into a draft", Args: cobra.ExactArgs(2),
		Long: "Write another plan into a draft.\nYou are its author from then on, and somebody else has to approve it.",
		RunE: func(cmd *cobra.Command, args []string) error {
			plan, err := readPlan(args[1])
			if err != nil {
				return err
			}
			client, id, err := r.target(args[0])
			if err != nil {
				return err
			}
			done, err := client.Edit(cmd.Context(), id, plan, version)
			if err != nil {
				return err
			}
			return r.say(done, fmt.Sprintf("%s: edited (version %d)", done.Id, done.Version))
		},
	}
	cmd.Flags().Int64Var(&version, "if-match", 0, "refuse if it has another version than this one, which show printed")
	return cmd
}

// validated is the result of validate as --json prints it.
type validated struct {
	Product  manifests.Product `json:"product"`
	Build    manifests.Build   `json:"build"`
	Stages   int               `json:"stages"`
	Against  []string          `json:"against"` // what the plan was held against
	Warnings []string          `json:"warnings"`
}

func (r *rollouts) validateCommand() *cobra.Command {
	var release string
	cmd := &cobra.Command{
		Use: "validate PLAN.yaml [--release RELEASE.json]", Short: "Check a plan without sending it", Args: cobra.ExactArgs(1),
		Long: `Check a plan without a network: that its shares widen, its budget is kept and
every field is known. With --release it is held against a signed release that
you have as a file; with --server (given here, not by the environment) against
the one that the server has, and its pace.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			plan, err := readPlan(args[0])
			if err != nil {
				return err
			}
			out := validated{Product: plan.Product, Build: plan.Build, Stages: len(plan.Stages), Against: []string{"itself"}, Warnings: []string{}}
			if release != "" {
				if err := checkAgainst(plan, release); err != nil {
					return fmt.Errorf("%s: %w", args[0], err)
				}
				out.Against = append(out.Against, release)
			}
			if r.at.Server != "" {
				client, err := r.at.Open()
				if err != nil {
					return err
				}
				preview, err := client.Preview(cmd.Context(), operate.Question{Plan: plan, Fleet: fleetOf(plan)})
				if err != nil {
					return err
				}
				out.Against, out.Warnings = append(out.Against, "the release on "+r.at.Server), append(out.Warnings, preview.Warnings...)
			}
			lines := []string{fmt.Sprintf("%s: build %d of %s, %s: holds", args[0], plan.Build, plan.Product, stagesInWords(plan))}
			for _, against := range out.Against[1:] {
				lines = append(lines, "held against "+against)
			}
			for _, w := range out.Warnings {
				lines = append(lines, "warning: "+w)
			}
			return r.say(out, lines...)
		},
	}
	cmd.Flags().StringVar(&release, "release", "", "signed release document to hold the plan against")
	return cmd
}

func checkAgainst(plan *rollout.Plan, path string) error {
	data, err := keyring.ReadFile(path, manifests.MaxReleaseBytes)
	if err != nil {
		return err
	}
	release, err := manifests.ParseRelease(data)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return plan.CheckAgainst(release)
}

// assumedFleet is how many handsets are asked about where nobody said; what a
// plan is checked for does not depend on it.
const assumedFleet = 1_000_000

func fleetOf(plan *rollout.Plan) int64 {
	if plan.Budget != nil {
		return int64(plan.Budget.Fleet)
	}
	return assumedFleet
}

func stagesInWords(plan *rollout.Plan) string {
	soak := time.Duration(0)
	for _, s := range plan.Stages {
		soak += s.Soak.Duration
	}
	first, last := plan.Stages[0].Share, plan.Stages[len(plan.Stages)-1].Share
	if len(plan.Stages) == 1 {
		return fmt.Sprintf("one stage of %s", first)
	}
	return fmt.Sprintf("%d stages from %s to %s, %s of soak", len(plan.Stages), first, last, manifests.Duration{Duration: soak})
}

// stageList reads the stages of an answer.
func stageList(list *api.StageList) ([]rollout.Stage, error) {
	return stagesOf(map[string]any{"stages": list.Stages})
}
