package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/candor-ota/candor/server/carry"
)

// mirrorFlags are those of mirror, as typed.
type mirrorFlags struct {
	from, to, ca string
	every        time.Duration
	check        bool
}

// shortestEvery is how often a mirror may ask its origin.
const shortestEvery = time.Second

func (a *app) mirrorCommand() *cobra.Command {
	var f mirrorFlags
	cmd := &cobra.Command{
		Use:   "mirror --from URL|DIR|CONFIG --to DIR",
		Short: "Make or refresh an edge mirror: a plain copy of what is published, for any web server",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.to == "" {
				return usagef("--to is needed: the folder of the mirror")
			}
			if f.every != 0 && f.every < shortestEvery {
				return usagef("--every is %s at least, or 0 for once", shortestEvery)
			}
			return a.mirror(cmd.Context(), f)
		},
	}
	cmd.Flags().StringVar(&f.from, "from", "", "URL of a server or mirror; or a data directory or configuration")
	cmd.Flags().StringVar(&f.to, "to", "", "folder of the mirror")
	cmd.Flags().StringVar(&f.ca, "ca-file", "", "PEM of the authorities to trust for the URL (default the system's)")
	cmd.Flags().DurationVar(&f.every, "every", 0, "refresh so often until stopped (default once)")
	cmd.Flags().BoolVar(&f.check, "check", false, "read images that are there already and hash them anew")
	return cmd
}

// origin opens where a mirror takes the tree from.
func (f mirrorFlags) origin(ctx context.Context) (carry.Origin, io.Closer, error) {
	if strings.Contains(f.from, "://") {
		var roots *x509.CertPool
		if f.ca != "" {
			pem, err := os.ReadFile(f.ca)
			if err != nil {
				return nil, nil, fmt.Errorf("--ca-file: %w", err)
			}
			if roots = x509.NewCertPool(); !roots.AppendCertsFromPEM(pem) {
				return nil, nil, usagef("--ca-file: %s holds no certificate in PEM", f.ca)
			}
		}
		o, err := carry.NewWebOrigin(f.from, roots)
		return o, o, err
	}
	p, err := parsePlace("--from", f.from)
	if err != nil {
		return nil, nil, err
	}
	tree, err := p.dir.OpenPublished(ctx, p.file)
	if err != nil {
		return nil, nil, err
	}
	return carry.StoreOrigin{From: tree}, tree, nil
}

func (a *app) mirror(ctx context.Context, f mirrorFlags) (err error) {
	from, closer, err := f.origin(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	to, err := carry.OpenFolder(f.to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	for {
		done, err := carry.Mirror(ctx, from, to, a.now(), f.check)
		if err == nil {
			err = a.printMirrored(done)
		}
		if f.every == 0 || ctx.Err() != nil {
			return err
		}
		if err != nil {
			if _, err := fmt.Fprintln(a.err, "candor-server:", err, "(it is tried again)"); err != nil {
				return err
			}
		}
		timer := time.NewTimer(f.every)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

func (a *app) printMirrored(m carry.Mirrored) error {
	if m.Behind {
		return a.print(m, fmt.Sprintf("the origin shows something older than timestamp %d; the mirror stays as it is", m.Version))
	}
	return a.print(m, fmt.Sprintf("timestamp %d: %d files, %d fetched (%d bytes), %d removed", m.Version, m.Files, m.Fetched, m.Bytes, m.Removed))
}
