package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/candor-ota/candor/signer/incident"
	"github.com/spf13/cobra"
)

var errOpenSteps = errors.New("not all steps are done; those that are open stand above")

// incidentFlags are what people know of a bad day.
type incidentFlags struct {
	from    treeFlags
	product string
	build   int64
	gone    []string
	check   bool
}

// incidents are the five bad days, as commands.
var incidents = []struct {
	kind        incident.Kind
	short, long string
	build, gone bool
}{
	{incident.OnlineKey, "A key of the service is in wrong hands", `
Timestamp, snapshot and rollouts: all three keys are replaced together, while
the server runs, whichever it was.`, false, true},
	{incident.EngineerKey, "An engineer's key is in wrong hands", `
Name whose with --gone, once for each. If they are enough to sign a release,
--build names the one that they made, and it is left out of the new list.`, true, true},
	{incident.RootKey, "A root key is lost or stolen", `
Name whose with --gone, once for each. If fewer are left than the threshold, the
plan says what can still be done, and what cannot.`, false, true},
	{incident.BadRelease, "A release is bad and has to be taken back", `
Halt, withdraw, overtake. A build that handsets on older ones need as a stepping
stone is recognised, and nobody is stranded.`, true, false},
	{incident.ServerOwned, "The server itself was in wrong hands", `
With its keys, its database and its files. A new one is set up out of a backup,
and its keys are replaced.`, false, true},
}

func (a *app) incidentCommand() *cobra.Command {
	cmd := cli.Group("incident", "Lead through a bad day: a stolen or lost key, a bad release, a server that was owned")
	cmd.Long = `Lead through a bad day. Each command reads what is published, verifies it from
the root that you trust, and prints what to do, in order: each step with the
commands to copy, who gives them, why, and how to see that it worked; what all
of it stops and what it does not; and what to tell the owners of handsets.

Nothing is changed and nothing is remembered. --check looks at what is published
and says which steps are done; anybody can ask at any time. Its exit status is 0
if none is open, and 3 if one is. Words in capitals in a command are yours to
fill in, such as MY-KEY for the name of your key.`
	for i := range incidents {
		d := &incidents[i]
		var f incidentFlags
		sub := &cobra.Command{
			Use: string(d.kind) + " --server URL", Short: d.short, Long: d.short + ".\n" + d.long, Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return a.incident(cmd, d.kind, &f) },
		}
		f.from.register(sub)
		sub.Flags().BoolVar(&f.check, "check", false, "say which steps are done")
		if d.build {
			sub.Flags().StringVar(&f.product, "product", "", "product (needed if there is more than one)")
			sub.Flags().Int64Var(&f.build, "build", 0, "the bad build")
		}
		if d.gone {
			sub.Flags().StringArrayVar(&f.gone, "gone", nil, "a key that is lost or in wrong hands: its holder's name, or the beginning of its id; may be repeated")
		}
		cmd.AddCommand(sub)
	}
	return cmd
}

func (a *app) incident(cmd *cobra.Command, kind incident.Kind, f *incidentFlags) error {
	c := incident.Case{Kind: kind, Gone: f.gone, Check: f.check}
	from := f.from.settled()
	src, err := from.source()
	if err != nil {
		return err
	}
	c.Server = from.server
	if from.dir != "" {
		c.From = "--from-dir " + from.dir
	}
	if f.product != "" {
		var err error
		if c.Product, err = manifests.ParseProduct(f.product); err != nil {
			return cli.Wrong(err)
		}
	}
	if f.build != 0 {
		var err error
		if c.Build, err = cli.Build(fmt.Sprint(f.build)); err != nil {
			return err
		}
	}
	situation, err := a.survey(cmd, src)
	if err != nil {
		return err
	}
	plan, err := incident.Make(situation, c)
	if err != nil {
		if errors.Is(err, incident.ErrCase) {
			return cli.Wrong(err)
		}
		return err
	}
	return a.printPlan(plan)
}

// survey reads what is published, also where it has expired or ends halfway.
func (a *app) survey(cmd *cobra.Command, src ceremony.Source) (*ceremony.Situation, error) {
	anchor, err := a.anchor()
	if err != nil {
		return nil, err
	}
	return ceremony.Survey(cmd.Context(), src, anchor, a.now())
}

func (a *app) printPlan(p *incident.Plan) error {
	lines := p.Lines()
	if p.Checked {
		lines = p.CheckLines()
	}
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	if err := a.print(p, lines...); err != nil {
		return err
	}
	if p.Checked && !p.Done {
		return cli.Exit(errOpenSteps, cli.Waits)
	}
	return nil
}
