package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/handset"
	"github.com/candor-ota/candor/client/status"
)

// ask has a request carried out: by the agent that runs, if one does, or else
// here, on the files.
func (o *options) ask(cmd *cobra.Command, r status.Request) (status.Report, error) {
	config, err := agent.LoadConfig(o.config)
	if err != nil {
		return status.Report{}, err
	}
	report, err := askAgent(cmd, config, r)
	if !errors.Is(err, status.ErrNoAgent) {
		return report, err
	}
	err = o.open(cmd, config, func(h *handset.Handset) (err error) {
		if err = h.Do(cmd.Context(), r); err == nil {
			report, err = h.Report()
		}
		return err
	})
	if errors.Is(err, disk.ErrLocked) { // an agent may have started just now
		if again, aerr := askAgent(cmd, config, r); !errors.Is(aerr, status.ErrNoAgent) {
			return again, aerr
		}
	}
	return report, err
}

func askAgent(cmd *cobra.Command, config *agent.Config, r status.Request) (status.Report, error) {
	c, err := status.Dial(cmd.Context(), config.SocketPath())
	if err != nil {
		return status.Report{}, err
	}
	report, err := c.Ask(cmd.Context(), r)
	return report, errors.Join(err, c.Close())
}

func statusCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Say what runs, and why nothing else happens",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := o.ask(cmd, status.Request{Do: status.ShowStatus})
			if err != nil {
				return err
			}
			return o.print(cmd, r, reportWords(r))
		},
	}
}

func watchCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "watch",
		Short: "Show what the agent that runs does, as it happens",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := agent.LoadConfig(o.config)
			if err != nil {
				return err
			}
			c, err := status.Dial(cmd.Context(), config.SocketPath())
			if err != nil {
				return err
			}
			err = c.Watch(cmd.Context(), func(e status.Event) error { return o.print(cmd, e, eventWords(e)) })
			if errors.Is(err, status.ErrEnded) {
				err = nil
			}
			return errors.Join(err, c.Close())
		},
	}
}

func eventWords(e status.Event) string {
	switch {
	case e.Progress != nil:
		return progressWords(*e.Progress)
	case e.Report == nil:
		return string(e.Event)
	}
	return stateWords(e.Report.Status)
}

// stateWords is a status as one line.
func stateWords(s agent.Status) string {
	if s.Sentence == "" {
		return string(s.State)
	}
	return string(s.State) + ": " + s.Sentence
}

// reportWords is what `status` prints.
func reportWords(r status.Report) string {
	lines := []string{fmt.Sprintf("%s runs build %d (%s) from slot %s.", r.Product, r.Build, r.Version, r.Slot)}
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	if s := r.Status; s.Sentence == "" {
		add("It has not looked for updates yet.")
	} else {
		add("%s", s.Sentence)
		if s.Code != "" {
			add("%s", holdWords(s))
		}
		if s.Progress != nil {
			add("Progress: %s", progressWords(*s.Progress))
		}
	}
	if r.Next != nil && r.Next.Why != "" {
		add("%s", r.Next.Why)
	}
	switch {
	case r.Running && r.Next != nil && r.Next.At != nil:
		add("The agent looks again at %s.", r.Next.At)
	case r.Running:
		add("The agent is at work.")
	case r.Next != nil && r.Next.At != nil:
		add("No agent runs; one that is started waits until %s, `once` does not.", r.Next.At)
	default:
		add("No agent runs: nothing looks for updates until `run` or `once` does.")
	}
	if r.Head != "" {
		add("Head of the chain of rollouts: %s.", r.Head)
	}
	for _, w := range r.Warnings {
		add("WARNING: %s", w)
	}
	return strings.Join(append(lines, reportingWords(r)...), "\n")
}

// holdWords say since when, what ends it, and what the owner can do.
func holdWords(s agent.Status) string {
	words := "Code " + string(s.Code)
	if s.Since != nil && !s.Since.IsZero() {
		words += ", since " + s.Since.String()
	}
	if s.Ends != "" {
		words += "; it ends when " + s.Ends
	}
	if s.Can != "" {
		words += "; you can " + s.Can
	}
	return words + "."
}

func reportingWords(r status.Report) []string {
	const nothing = "Nothing is reported: no request beyond static files leaves this handset."
	switch {
	case r.Reporting && r.Lab:
		return []string{"This handset is in lab mode and reports by name; see `lab show`."}
	case r.Reporting:
		return []string{"Outcomes of updates are reported, as the owner asked; see `consent show`."}
	case r.Lab:
		return []string{"This handset is in lab mode, but cannot report; see `lab show`.", nothing}
	}
	return []string{nothing}
}
