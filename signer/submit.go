package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/candor-ota/candor/signer/submit"
	"github.com/spf13/cobra"
)

// submitted is the result of submit as --json prints it.
type submitted struct {
	proposalInfo
	Server string `json:"server"`
	Blobs  int    `json:"blobs"`
	Bytes  int64  `json:"bytes"` // of all blobs, sent now or before
	// Accepted are the files that the server took, Snapshot the version of the
	// snapshot that carries them.
	Accepted []string `json:"accepted"`
	Snapshot int64    `json:"snapshot"`
}

func (a *app) submitCommand() *cobra.Command {
	var at connection
	var blobs string
	cmd := &cobra.Command{
		Use:   "submit PROPOSAL --server URL --token-file FILE [--blobs DIR]",
		Short: "Hand a finished proposal to the server",
		Long: `Hand a finished proposal to the server: blobs first, then metadata and release
documents. A proposal that lacks signatures is refused before anything is sent.
After an interruption run the same command again; it carries on where it stopped.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			service, err := at.open()
			if err != nil {
				return err
			}
			client := &submit.Client{Client: service}
			p, err := ceremony.Read(args[0])
			if err != nil {
				return err
			}
			done, err := p.Submission()
			if err != nil {
				return err
			}
			result := submitted{proposalInfo: infoOfProposal(args[0], p), Server: at.address()}
			if result.Blobs, result.Bytes, err = a.uploadBlobs(cmd.Context(), client, p, blobs); err != nil {
				return err
			}
			receipt, err := client.Submit(cmd.Context(), done.Metadata, done.Targets)
			if err != nil {
				return err
			}
			result.Accepted, result.Snapshot = receipt.Accepted, receipt.Snapshot
			return a.print(result, fmt.Sprintf("submitted %s to %s: %d metadata files, %d documents, %d blobs (%d bytes)",
				args[0], at.address(), len(done.Metadata), len(done.Targets), result.Blobs, result.Bytes))
		},
	}
	at.flags(cmd)
	cmd.Flags().StringVar(&blobs, "blobs", "", "directory that release build wrote (needed for a release)")
	return cmd
}

// uploadBlobs sends what a release needs. All files are looked at before the
// first byte is sent, so that a wrong directory is noticed at once.
func (a *app) uploadBlobs(ctx context.Context, client *submit.Client, p *ceremony.Proposal, dir string) (count int, total int64, err error) {
	release := p.Release()
	if release == nil {
		return 0, 0, nil
	}
	if dir == "" {
		return 0, 0, usagef("--blobs: a release needs the directory that release build wrote")
	}
	needed, err := ceremony.Blobs(release, func(table manifests.Blob) ([]byte, error) {
		return keyring.ReadFile(filepath.Join(dir, layout.BlobFile(table.SHA256)), table.Size)
	})
	if err != nil {
		return 0, 0, fmt.Errorf("blob of the release: %w", err)
	}
	var blobs []submit.Blob
	for _, b := range needed {
		path := filepath.Join(dir, layout.BlobFile(b.SHA256))
		info, err := os.Stat(path)
		if err != nil {
			return 0, 0, fmt.Errorf("blob of the release: %w", err)
		}
		if info.Size() != b.Size {
			return 0, 0, fmt.Errorf("blob of the release: %s has %d bytes, signed are %d", path, info.Size(), b.Size)
		}
		blobs = append(blobs, submit.Blob{SHA256: b.SHA256, Size: b.Size, Open: opener(path)})
		total += b.Size
	}
	bar := a.progress("uploading", total)
	before := int64(0)
	for _, b := range blobs {
		if err := client.Upload(ctx, b, func(n int64) { ignoreBar(bar.Set64(before + n)) }); err != nil {
			return 0, 0, err
		}
		before += b.Size
	}
	return len(blobs), total, bar.Finish()
}

func opener(path string) func() (io.ReadSeekCloser, error) {
	return func() (io.ReadSeekCloser, error) { return os.Open(path) }
}

// buildOf is a build number of the command line.
func buildOf(arg string) (manifests.Build, error) {
	b, err := manifests.ParseBuild(arg)
	if err != nil {
		return 0, usageError{err}
	}
	return b, nil
}
