package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/signer/bundle"
	"github.com/candor-ota/candor/signer/cli"
)

// bundled is the result of bundle as --json prints it.
type bundled struct {
	File string `json:"file"`
	bundle.Result
}

func (a *app) bundleCommand() *cobra.Command {
	var product, build, out, server, tree string
	var from []string
	cmd := &cobra.Command{
		Use:   "bundle --server URL|--tree DIR --product P --build N --out FILE",
		Short: "Put a release and all that proves it into one file, for a stick or a cable",
		Long: `Make an offline update: one file with the whole TUF metadata, the release, and
index and pack of each image. It is made from what is published and verified
first, as a handset would; the release must say "offline: true". Its owner
installs it with "candor-client install FILE".

A bundle is as good as the metadata in it: handsets refuse it once the product's
list of releases has expired, once offerUntil has passed, and where they have
seen newer metadata or a halt. The same tree gives the same bytes.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			at := treeFlags{tree, server}.settled()
			if out == "" || (at.server == "") == (at.dir == "") {
				return cli.Usagef("--out, and one of --server and --tree, are needed")
			}
			o, err := a.bundleOptions(product, build, from)
			if err != nil {
				return err
			}
			if o.Source, err = source(at.dir, at.server); err != nil {
				return err
			}
			b := a.progress("bundling", -1)
			o.Progress = func(done, total int64) {
				b.ChangeMax64(total)
				ignoreBar(b.Set64(done))
			}
			r, err := bundle.Write(cmd.Context(), out, o)
			if err = errors.Join(err, b.Exit()); err != nil {
				return err
			}
			return a.print(bundled{out, r},
				fmt.Sprintf("wrote %s: %s build %d, %d bytes", out, r.Product, r.Build, r.Size),
				fmt.Sprintf("holds:  %d files of metadata, %d blobs for %s, %d patches", r.Metadata, r.Blobs, slots(r.Slots), r.Patches),
				"sha256: "+r.SHA256.String())
		},
	}
	f := cmd.Flags()
	f.StringVar(&server, "server", "", "address of the server, or of its CDN (or "+cli.ServerVariable+")")
	f.StringVar(&tree, "tree", "", "directory that holds the published tree")
	f.StringVar(&product, "product", "", "product of the release")
	f.StringVar(&build, "build", "", "build of the release")
	f.StringSliceVar(&from, "from", nil, "carry the patches from these builds too: N,N…")
	f.StringVar(&out, "out", "", "file to write")
	return cmd
}

func (a *app) bundleOptions(product, build string, from []string) (bundle.Options, error) {
	p, err := manifests.ParseProduct(product)
	if err != nil {
		return bundle.Options{}, cli.Usagef("--product: %w", err)
	}
	b, err := cli.Build(build)
	if err != nil {
		return bundle.Options{}, err
	}
	o := bundle.Options{Ref: vote.Ref{Product: p, Build: b}, Now: a.now()}
	for _, s := range from {
		old, err := cli.Build(s)
		if err != nil {
			return o, err
		}
		o.From = append(o.From, old)
	}
	o.Anchor, err = a.anchor()
	return o, err
}

func slots(names []manifests.Name) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = string(n)
	}
	return strings.Join(out, ", ")
}
