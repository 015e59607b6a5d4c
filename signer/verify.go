package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/candor-ota/candor/manifests/image"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/spf13/cobra"
)

var errDoesNotHold = errors.New("not everything that is published holds")

func (a *app) verifyCommand() *cobra.Command {
	var blobs bool
	cmd := &cobra.Command{
		Use:   "verify DIR|URL",
		Short: "Walk what is published and say what holds",
		Long: `Walk a published tree from the root that you trust: every role's signatures,
version and expiry, every release, whether each rollout offers what the
engineers signed and, with --blobs, every byte of every image. Exit status 1
if anything does not hold.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			anchor, err := a.anchor()
			if err != nil {
				return err
			}
			var src ceremony.Source
			if strings.Contains(args[0], "://") {
				src, err = ceremony.Server(args[0])
			} else {
				src, err = ceremony.Dir(args[0])
			}
			if err != nil {
				return err
			}
			bar := a.progress("reading blobs", -1)
			report := ceremony.Verify(cmd.Context(), src, anchor, ceremony.VerifyOptions{
				Now: a.now(), Blobs: blobs, Read: func(n int) { ignoreBar(bar.Add(n)) },
			})
			lines := []string{}
			for _, f := range report.Findings {
				mark := "holds "
				if !f.Holds {
					mark = "FAILS "
				}
				lines = append(lines, fmt.Sprintf("%s %s: %s", mark, f.Subject, f.Words))
			}
			if err := errors.Join(bar.Exit(), a.print(report, lines...)); err != nil {
				return err
			}
			switch {
			case cli.Unreached(report.Ended):
				return report.Ended
			case !report.Holds:
				return errDoesNotHold
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&blobs, "blobs", false, "read and check every byte of every image too")
	return cmd
}

func (a *app) showCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show FILE",
		Short: "Show a proposal, release, key, rollout, index or metadata file in words",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			shown, err := a.show(args[0])
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return a.print(shown, shown.Lines...)
		},
	}
}

func (a *app) show(path string) (*ceremony.Shown, error) {
	data, err := keyring.ReadFile(path, image.MaxIndexBytes)
	if err != nil {
		return nil, err
	}
	return ceremony.Show(data, a.now())
}

// ignoreBar drops an error of the progress bar: it is drawn for people only.
func ignoreBar(error) {}

// ignoreMissing turns fs.ErrNotExist into success.
func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
