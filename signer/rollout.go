package main

import (
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/candor-ota/candor/signer/keyring"
	"github.com/candor-ota/candor/signer/rollouts"
)

// operator is what the commands of rollouts take from this program.
type operator struct{ *app }

func (a *app) rolloutCommand() *cobra.Command { return rollouts.Command(operator{a}) }

func (o operator) Print(v any, lines ...string) error { return o.print(v, lines...) }
func (o operator) Tell(lines ...string) error         { return o.tell(lines...) }
func (o operator) Now() time.Time                     { return o.now() }
func (o operator) Anchor() (keyring.Anchor, error)    { return o.anchor() }

func (o operator) Terminal() *os.File {
	f, ok := o.out.(*os.File)
	if !ok || o.json || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return f
}
