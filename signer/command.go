package main

import (
	"errors"
	"io"
	"io/fs"
	"runtime/debug"
	"time"

	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/spf13/cobra"
)

// app holds what every command shares: global flags and the streams.
type app struct {
	keysDir  string
	rootFile string
	json     bool
	pass     passphrases
	out, err io.Writer
	in       io.Reader
	now      func() time.Time
}

const longHelp = `candor-signer signs firmware releases offline and drives their rollouts.

A system starts with a ceremony (init), gets products (product add) and then
releases (release build). What is to be signed travels between people as a
proposal, in a file or through the server, until enough of them have signed and
it is published: see event --help. From then on operators drive it with the
commands of rollout, which need no key, only a token.

Passphrases are asked for on the terminal, or read with --passphrase-file or
--passphrase-fd; never from an argument or the environment.

Exit status:
`

func newCommand() *cobra.Command {
	a := &app{now: time.Now}
	cmd := &cobra.Command{
		Use:           "candor-signer",
		Short:         "Sign firmware releases offline, and drive their rollouts",
		Version:       version(),
		Long:          longHelp + cli.Table(),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRun: func(cmd *cobra.Command, _ []string) {
			a.out, a.err, a.in = cmd.OutOrStdout(), cmd.ErrOrStderr(), cmd.InOrStdin()
		},
	}
	flags := cmd.PersistentFlags()
	flags.StringVar(&a.keysDir, "keys", "keys", "directory of your keys")
	flags.StringVar(&a.rootFile, "root", "", "root file to trust; by default the one that your key directory has accepted")
	flags.BoolVar(&a.json, "json", false, "print the result as one JSON object")
	flags.StringVar(&a.pass.file, "passphrase-file", "", "read the passphrase from the first line of this file")
	flags.IntVar(&a.pass.fd, "passphrase-fd", -1, "read the passphrase from the first line of this file descriptor")
	cmd.AddCommand(a.keyCommand(), a.initCommand(), a.productCommand(), a.releaseCommand(), a.imageCommand(), a.eventCommand(),
		a.bundleCommand(), a.withdrawCommand(), a.renewCommand(), a.verifyCommand(), a.showCommand(), a.rolloutCommand())
	cmd.AddCommand(a.rootCommand(), a.ceremonyCommand(), a.explainCommand(), a.incidentCommand())
	cmd.AddCommand(a.votesCommand())
	cmd.AddCommand(a.lintCommand(), a.expiringCommand(), a.retireCommand(), a.archiveCommand())
	cli.AsUsage(cmd)
	return cmd
}

// version is what Go knows of the sources that this program was built from.
func version() string {
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" {
		return b.Main.Version
	}
	return "unknown"
}

// anchor is the root to trust: --root, or what the key directory has accepted.
// Both must agree when both are there.
func (a *app) anchor() (keyring.Anchor, error) {
	have, err := a.ring().Anchor()
	if a.rootFile == "" {
		if errors.Is(err, fs.ErrNotExist) {
			return keyring.Anchor{}, cli.Usagef("no trusted root yet: give --root 1.root.json, a file that you got from a root holder")
		}
		return have, err
	}
	data, readErr := keyring.ReadFile(a.rootFile, 1<<20)
	if readErr != nil {
		return keyring.Anchor{}, readErr
	}
	given, readErr := ceremony.AnchorOf(data)
	if readErr != nil {
		return keyring.Anchor{}, readErr
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return given, nil
	case err != nil:
		return keyring.Anchor{}, err
	case have.Version == given.Version && !have.Same(given):
		return keyring.Anchor{}, ceremony.ErrOtherRoot
	}
	return given, nil
}
