package main

import (
	"errors"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/candor-ota/candor/signer/explain"
	"github.com/candor-ota/candor/signer/keyring"
)

var errRefused = errors.New("not all of it holds; what is wrong, and what to do, stands above")

var errUnreached = errors.New("nobody answered, so little can be said; see above")

// explainFlags are what is known beside the file.
type explainFlags struct {
	at, tree, role string
}

func (a *app) explainCommand() *cobra.Command {
	var f explainFlags
	cmd := &cobra.Command{
		Use:   "explain FILE|URL|DIR",
		Short: "Say what a file is, and in plain words why it is refused",
		Long: `Say what a file is, in words, then what about it holds and what does not: which
role, which key and whose, which date, and what to do, with a command to copy
where there is one. A URL or DIR is a whole published tree, or with the path of
a file in it that file.

It takes metadata of any role (root, timestamp, snapshot, targets, releases and
rollouts), release and rollouts documents, proposals, public keys, bundles and
image indexes. A metadata file is held against the tree that it lies in, or that
--tree names; without one, against the root of --root.

Nothing is changed. Exit status 0 if all holds, 1 if something is refused, 5 if a
proposal only waits for people who have yet to sign, and 6 if nobody answered.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := a.explainOptions(f)
			if err != nil {
				return err
			}
			out, err := explain.Explain(cmd.Context(), args[0], o)
			if err != nil {
				return err
			}
			if err := a.print(out, out.Lines()...); err != nil {
				return err
			}
			switch {
			case out.Waits:
				return cli.Exit(ceremony.ErrIncomplete, cli.People)
			case out.Unreached():
				return cli.Exit(errUnreached, cli.Network)
			case !out.Holds:
				return errRefused
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&f.at, "at", "", "judge dates as of this moment (RFC 3339) instead of now")
	cmd.Flags().StringVar(&f.tree, "tree", "", "directory or address of the published tree that the file belongs to")
	cmd.Flags().StringVar(&f.role, "role", "", "role of a metadata file, where its name does not say it")
	return cmd
}

// explainOptions finds the root to trust. Without any, the tree's own is taken
// at its word, which explain says.
func (a *app) explainOptions(f explainFlags) (explain.Options, error) {
	o := explain.Options{Tree: f.tree, Role: f.role, Now: a.now()}
	if f.at != "" {
		at, err := time.Parse(time.RFC3339, f.at)
		if err != nil {
			return o, cli.Usagef("--at %q is not a time such as 2026-01-31T12:00:00Z", f.at)
		}
		o.Now = at
	}
	if a.rootFile != "" {
		var err error
		if o.Root, err = keyring.ReadFile(a.rootFile, 1<<20); err != nil {
			return o, err
		}
	} else if _, err := a.ring().Anchor(); errors.Is(err, fs.ErrNotExist) {
		return o, nil
	}
	anchor, err := a.anchor()
	if err != nil {
		return o, err
	}
	o.Anchor = &anchor
	return o, nil
}
