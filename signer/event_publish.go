package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/candor-ota/candor/signer/operate"
	"github.com/candor-ota/candor/signer/submit"
	"github.com/spf13/cobra"
)

// published is the result of event publish as --json prints it.
type published struct {
	proposalInfo
	Server string `json:"server"`
	Blobs  int    `json:"blobs"`
	Bytes  int64  `json:"bytes"` // of all blobs, sent now or before
	// Accepted are the files that the server took, Snapshot the version of the
	// snapshot that carries them; 0 if they were published before.
	Accepted []string `json:"accepted"`
	Snapshot int64    `json:"snapshot"`
}

func (a *app) eventPublish(at *cli.Connection) *cobra.Command {
	var blobs string
	cmd := &cobra.Command{
		Use:   "publish FILE|ID --server URL --token-file FILE [--blobs DIR]",
		Short: "Publish a proposal that enough people have signed",
		Long: `Publish a proposal that enough people have signed: blobs first, then metadata
and release documents. One that lacks signatures is refused before anything is
sent. A release needs its blobs on the server: give the directory that "release
build" wrote with --blobs, here or when you open the event.
After an interruption run the same command again; it carries on where it stopped.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.publish(cmd.Context(), args[0], at, blobs)
		},
	}
	cmd.Flags().StringVar(&blobs, "blobs", "", "directory that release build wrote")
	return cmd
}

func (a *app) publish(ctx context.Context, arg string, at *cli.Connection, blobs string) error {
	client, err := at.Open()
	if err != nil {
		return err
	}
	f, err := a.find(ctx, arg, at)
	if err != nil {
		return err
	}
	done, err := f.Submission()
	if err != nil {
		return err
	}
	result := published{Server: at.Address()}
	if blobs != "" {
		if result.Blobs, result.Bytes, err = a.uploadBlobs(ctx, client, f.Proposal, blobs); err != nil {
			return err
		}
	}
	if f.file != "" {
		if _, err := openEvent(ctx, client, f.Proposal); err != nil && !over(err) {
			return err
		}
	}
	receipt, err := client.PublishEvent(ctx, f.Hash())
	if err != nil {
		return err
	}
	result.proposalInfo = infoOfProposal(f.place(), f.Proposal)
	result.Accepted, result.Snapshot = receipt.Accepted, receipt.Snapshot
	return a.print(result, fmt.Sprintf("published %s on %s: %d metadata files, %d documents, %d blobs (%d bytes)",
		f.place(), at.Address(), len(done.Metadata), len(done.Targets), result.Blobs, result.Bytes))
}

// over tells that the event is not open any more: it may be published, which is
// as it should be, and publishing it again says so.
func over(err error) bool {
	var r *operate.Refusal
	return errors.As(err, &r) && r.Code == api.CodeEventClosed
}

// uploadBlobs sends what a release needs. All files are looked at before the
// first byte is sent, so that a wrong directory is noticed at once.
func (a *app) uploadBlobs(ctx context.Context, service *operate.Client, p *ceremony.Proposal, dir string) (count int, total int64, err error) {
	release := p.Release()
	if release == nil {
		return 0, 0, nil
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
	bar, client := a.progress("uploading", total), &submit.Client{Client: service}
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
