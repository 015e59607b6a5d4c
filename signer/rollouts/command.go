package rollouts

import (
	"errors"
	"os"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/candor-ota/candor/signer/operate"
	"github.com/spf13/cobra"
)

const rolloutHelp = `Drive rollouts: write a plan, look at what it would do, have it approved, start
it, watch it, and stop it.

  candor-signer rollout stages --fleet 1000000 --max-harmed 200 --soak 24h
  candor-signer rollout validate plan.yaml
  candor-signer rollout preview plan.yaml --fleet 1000000
  candor-signer rollout create plan.yaml          # prints the rollout's ID
  candor-signer rollout propose ID                # then somebody else: approve ID
  candor-signer rollout start ID
  candor-signer rollout watch ID
  candor-signer rollout halt ID --reason "bricks" # takes one person, asks nothing

The server and your token are named by --server and --token-file, or by
CANDOR_SERVER and CANDOR_TOKEN_FILE; the token itself is never an argument.

Shares and rates are in percent, and stages count from 1. In plans and in what
--json prints they are those of the API: parts per million (10000 is 1 %), and
stages count from 0.

Exit status:
  0  done
  1  refused or failed; nothing was changed, unless the message says otherwise
  2  wrong use of the command
  3  not yet: too early, not enough votes, or somebody else has to agree; the
     code in brackets says which. Also a watch that ran out of time
  4  a watched rollout was halted`

// Frame is what the commands take from the program that they belong to.
type Frame interface {
	// Print shows a result: lines for people, or v as one JSON object.
	Print(v any, lines ...string) error
	// Tell shows something for people that is not the result.
	Tell(lines ...string) error
	// Terminal is where a result is redrawn while people look at it, nil where it
	// goes to a file, a program or as JSON.
	Terminal() *os.File
	// Now is the clock.
	Now() time.Time
	// Anchor is the root to trust.
	Anchor() (keyring.Anchor, error)
}

// rollouts are the commands of operators.
type rollouts struct {
	Frame
	at cli.Connection
}

// Command is the group of commands.
func Command(frame Frame) *cobra.Command {
	r := &rollouts{Frame: frame}
	cmd := cli.Group("rollout", "Drive rollouts: plan, approve, start, watch, halt",
		r.listCommand(), r.showCommand(), r.createCommand(), r.validateCommand(), r.previewCommand(), r.stagesCommand(), r.editCommand(),
		r.watchCommand(), r.timelineCommand(), r.templateCommand(), r.rescueCommand(), r.evidenceCommand(), r.labCommand())
	for i := range steps {
		cmd.AddCommand(r.stepCommand(&steps[i]))
	}
	cmd.Long = rolloutHelp
	r.at.Flags(cmd)
	return cmd
}

// idOf is a rollout's ID of the command line.
func idOf(arg string) (manifests.Name, error) {
	id, err := manifests.ParseName(arg)
	if err != nil {
		return "", cli.Usagef("rollout ID: %w", err)
	}
	return id, nil
}

// target makes a client, and reads the ID that a command is about.
func (r *rollouts) target(arg string) (*operate.Client, manifests.Name, error) {
	id, err := idOf(arg)
	if err != nil {
		return nil, "", err
	}
	client, err := r.at.Open()
	return client, id, err
}

// notYet gives a refusal that will pass by itself, or by the word of somebody
// else, an exit status of its own.
func notYet(err error) error {
	var refused *operate.Refusal
	if errors.As(err, &refused) && refused.Waits() {
		return cli.Exit(err, cli.Waits)
	}
	return err
}
