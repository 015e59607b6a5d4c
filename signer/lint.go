package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/candor-ota/candor/manifests/lint"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/spf13/cobra"
)

var errRules = errors.New("rules are broken; each line above says where, and what to do")

func (a *app) lintCommand() *cobra.Command {
	var from treeFlags
	cmd := &cobra.Command{
		Use:   "lint [--server URL | --from-dir DIR | FILE…]",
		Short: "Hold metadata against every rule of the design, and report all that breaks one",
		Long: `Hold a published tree, or files (proposals, metadata, release documents), against
every rule: versions, expiries and lifetimes; delegations that are terminating
and disjoint, one delegator for a role; characters of names and paths; whole
numbers only, no null, no field and no signature twice; no role dropped;
thresholds that count people; keys that are shared between root, targets,
engineers and the service; one hash; at most 200 kB and 100 releases for a role;
and for releases rising builds and epochs, pace, urgency, offerUntil, and a fair
privacy label over every build that each may replace.

Nothing is changed, and no key is needed. All findings are reported, with role,
field, value and what to do. The server refuses a submission by the same rules.
Exit status 1 if there is a finding.`,
		RunE: func(cmd *cobra.Command, files []string) error {
			report, err := a.lint(cmd.Context(), from, files)
			if err != nil {
				return err
			}
			lines := []string{}
			for _, f := range report.Findings {
				lines = append(lines, f.String())
			}
			if len(lines) == 0 {
				line := fmt.Sprintf("%d files keep every rule", report.Files)
				if report.Files == 1 {
					line = "1 file keeps every rule"
				}
				lines = append(lines, line)
			}
			if err := a.print(report, lines...); err != nil {
				return err
			}
			if len(report.Findings) > 0 {
				return errRules
			}
			return nil
		},
	}
	from.register(cmd)
	return cmd
}

func (a *app) lint(ctx context.Context, from treeFlags, files []string) (*ceremony.LintReport, error) {
	if len(files) == 0 {
		src, err := from.source()
		if err != nil {
			return nil, err
		}
		anchor, err := a.anchor()
		if err != nil {
			return nil, err
		}
		return ceremony.LintTree(ctx, src, anchor, a.now()), nil
	}
	if from != (treeFlags{}) {
		return nil, cli.Usagef("give files, or one of --server and --from-dir")
	}
	all := &ceremony.LintReport{Findings: lint.Findings{}}
	for _, name := range files {
		data, err := keyring.ReadFile(name, ceremony.MaxProposal)
		if err != nil {
			return nil, err
		}
		one := ceremony.LintFile(name, data, a.now())
		all.Files++
		for _, f := range one.Findings {
			f.Role = name + ": " + f.Role
			all.Findings = append(all.Findings, f)
		}
	}
	return all, nil
}
