package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/candor-ota/candor/client/fetch"
	"github.com/candor-ota/candor/client/trust"
)

type tufOptions struct {
	metadataDir, metadataURL string
	name, dir, base          string
	at                       string
}

// tufCommand is a plain TUF client: its flags are those of the client under
// test that TUF's conformance suite expects.
func tufCommand() *cobra.Command {
	o := &tufOptions{}
	cmd := &cobra.Command{Use: "tuf", Short: "A plain TUF client over any repository; exit status 0 or 1, the reason on standard error"}
	f := cmd.PersistentFlags()
	f.StringVar(&o.metadataDir, "metadata-dir", "", "where verified metadata is kept, as received, under unversioned names")
	f.StringVar(&o.metadataURL, "metadata-url", "", "where metadata is published")
	f.StringVar(&o.name, "target-name", "", "path of the target to download")
	f.StringVar(&o.dir, "target-dir", "", "where to put it")
	f.StringVar(&o.base, "target-base-url", "", "where targets are published")
	f.StringVar(&o.at, "at", "", "verify as of this moment (RFC 3339) instead of now")
	cmd.AddCommand(
		&cobra.Command{Use: "init ROOT", Short: "Trust a root", Args: cobra.ExactArgs(1), RunE: func(_ *cobra.Command, args []string) error { return o.init(args[0]) }},
		&cobra.Command{Use: "refresh", Short: "Refresh the top-level metadata", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			return o.with(cmd, func(*trust.Repository) error { return nil })
		}},
		&cobra.Command{Use: "download", Short: "Refresh, and download one target", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			return o.with(cmd, func(r *trust.Repository) error { return o.download(cmd, r) })
		}},
	)
	return cmd
}

func (o *tufOptions) init(path string) error {
	if o.metadataDir == "" {
		return errors.New("--metadata-dir is needed")
	}
	root, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return trust.Init(o.metadataDir, root)
}

func (o *tufOptions) with(cmd *cobra.Command, then func(*trust.Repository) error) error {
	if o.metadataDir == "" || o.metadataURL == "" {
		return errors.New("--metadata-dir and --metadata-url are needed")
	}
	moment, err := at(o.at)
	if err != nil {
		return err
	}
	source, err := fetch.New(fetch.Options{Bases: []string{o.metadataURL}})
	if err != nil {
		return err
	}
	store, err := trust.OpenStore(o.metadataDir)
	if err != nil {
		return err
	}
	r := &trust.Repository{Store: store, Metadata: source, At: moment}
	err = r.Refresh(cmd.Context())
	if err == nil {
		err = then(r)
	}
	return errors.Join(err, store.Close())
}

func (o *tufOptions) download(cmd *cobra.Command, r *trust.Repository) error {
	if o.name == "" || o.dir == "" || o.base == "" {
		return errors.New("--target-name, --target-dir and --target-base-url are needed")
	}
	source, err := fetch.New(fetch.Options{Bases: []string{o.base}})
	if err != nil {
		return err
	}
	path, err := r.Download(cmd.Context(), source, o.name, o.dir)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), path)
	return err
}
