package rollouts

import (
	"errors"
	"fmt"
	"strings"

	"github.com/candor-ota/candor/manifests"
	format "github.com/candor-ota/candor/manifests/evidence"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/candor-ota/candor/signer/evidence"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/spf13/cobra"
)

var errEvidence = errors.New("the evidence does not hold")

// written is the result of evidence as --json prints it.
type written struct {
	File   string           `json:"file"`
	ID     manifests.Name   `json:"id"`
	Bytes  int              `json:"bytes"`
	SHA256 manifests.SHA256 `json:"sha256"`
	Rows   int              `json:"rows"` // of the audit log
}

func (r *rollouts) evidenceCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "evidence ID -o FILE", Short: "Write all that an auditor needs to check a rollout into one file", Args: cobra.ExactArgs(1),
		Long: `Write one file with all that an auditor needs to check a rollout without the
server: the signed metadata, the approvals, the counts, and the part of the
audit log with every decision and the numbers behind it.

  candor-signer rollout evidence ID -o FILE
  candor-signer rollout evidence verify FILE --root 1.root.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if file == "" {
				return cli.Usagef("-o FILE: say where to write it")
			}
			client, id, err := r.target(args[0])
			if err != nil {
				return err
			}
			data, b, err := client.Evidence(cmd.Context(), id)
			if err != nil {
				return err
			}
			if err := keyring.WriteFile(file, data, 0o644); err != nil {
				return err
			}
			out := written{File: file, ID: id, Bytes: len(data), SHA256: manifests.SumSHA256(data), Rows: len(b.Rows)}
			return r.say(out, fmt.Sprintf("%s: %d bytes, %d entries of the audit log, sha256 %s", file, out.Bytes, out.Rows, out.SHA256),
				fmt.Sprintf("To check it: candor-signer rollout evidence verify %s --root 1.root.json", file))
		},
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "file to write (needed)")
	cmd.AddCommand(r.evidenceVerifyCommand())
	return cmd
}

func (r *rollouts) evidenceVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "verify FILE --root 1.root.json", Short: "Check an evidence file, trusting a root alone", Args: cobra.ExactArgs(1),
		Long: `Check an evidence file without a network, trusting nothing but --root, a root
file that you got from a root holder: signatures, the release, the state, the
chain of the audit log, every verdict again from its own numbers, and who
approved what. Says what holds and what no such file can prove. Exit status 1 if
anything does not hold.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			anchor, err := r.Anchor()
			if err != nil {
				return err
			}
			data, err := keyring.ReadFile(args[0], format.MaxBytes)
			if err != nil {
				return err
			}
			b, err := format.Parse(data)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			report := evidence.Verify(cmd.Context(), b, anchor)
			if err := r.say(report, reportLines(b, report)...); err != nil {
				return err
			}
			if !report.Holds {
				return fmt.Errorf("%s: %w", args[0], errEvidence)
			}
			return nil
		},
	}
}

func reportLines(b *format.Bundle, report *evidence.Report) []string {
	lines := []string{fmt.Sprintf("Evidence of rollout %s (build %d of %s), made %s", b.ID, b.Build, b.Product, moment(b.Made.Time))}
	if report.Issued != nil {
		lines = append(lines, "Expiry is judged as of "+moment(*report.Issued)+", when the service signed last.")
	}
	lines = append(lines, "", "Checked:")
	for _, f := range report.Findings {
		mark := "  holds "
		if !f.Holds {
			mark = "  FAILS "
		}
		lines = append(lines, mark+cli.Line(f.Subject+": "+f.Words))
	}
	lines = append(lines, "", "Not covered:")
	for _, n := range report.NotCovered {
		lines = append(lines, "  "+cli.Line(n))
	}
	verdict := "All that was checked holds."
	if !report.Holds {
		verdict = strings.ToUpper("It does not hold.")
	}
	return append(lines, "", verdict)
}
