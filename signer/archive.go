package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests/archive"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/spf13/cobra"
)

func (a *app) archiveCommand() *cobra.Command {
	verify := &cobra.Command{
		Use:   "verify FILE|URL",
		Short: "Check what an archived release proves",
		Long: `Check a release that has left its product's list: that its engineers signed it,
from the root that you trust, and that their next list took it off, as retired or as
withdrawn. Expiry is judged as of the moment when the service last vouched for it, so
an archive stays good for ever. With a FILE no network is needed.

A server keeps them at archive/PRODUCT/BUILD.retired.json and BUILD.withdrawn.json.
Exit status 1 if anything does not hold.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			anchor, err := a.anchor()
			if err != nil {
				return err
			}
			data, err := readArchive(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			kept, err := archive.Parse(data)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			report, err := ceremony.VerifyArchive(cmd.Context(), kept, anchor)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			lines := []string{fmt.Sprintf("build %d of %s, %s", kept.Build, kept.Product, kept.How)}
			for _, f := range report.Findings {
				mark := "holds "
				if !f.Holds {
					mark = "FAILS "
				}
				lines = append(lines, fmt.Sprintf("%s %s: %s", mark, f.Subject, f.Words))
			}
			if err := a.print(map[string]any{"product": kept.Product, "build": kept.Build, "how": kept.How, "report": report}, lines...); err != nil {
				return err
			}
			if !report.Holds {
				return errDoesNotHold
			}
			return nil
		},
	}
	return cli.Group("archive", "Check releases that have left their list", verify)
}

func readArchive(ctx context.Context, from string) ([]byte, error) {
	if !strings.Contains(from, "://") {
		return keyring.ReadFile(from, archive.MaxBytes)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, cli.Wrong(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, archive.MaxBytes+1))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, fmt.Errorf("GET %s: %w", from, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: server answered %s", from, resp.Status)
	}
	return data, nil
}
