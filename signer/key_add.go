package main

import (
	"fmt"
	"time"

	"github.com/candor-ota/candor/signer/cli"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/candor-ota/candor/signer/keyring/kms"
	"github.com/candor-ota/candor/signer/keyring/program"
	"github.com/candor-ota/candor/signer/keyring/sshagent"
	"github.com/candor-ota/candor/signer/keyring/token"
	"github.com/spf13/cobra"
)

// addFlags say where a key lives; exactly one place is named.
type addFlags struct {
	agent   bool
	match   string
	pkcs11  string
	kms     string
	command string
	holder  string
	timeout time.Duration
}

func (a *app) keyAdd() *cobra.Command {
	var f addFlags
	cmd := &cobra.Command{
		Use:   "add NAME --holder \"Alice Chen\" --ssh-agent | --pkcs11 URI | --kms URL | --command 'PROGRAM ARGS'",
		Short: "Add a key that lives elsewhere: in an agent, a token, a service or behind a program",
		Long: `Add a key that exists already and stays where it is. Its public half is read, it
signs something without meaning, and the signature is verified; then NAME.pub
and a note of where the key lives (NAME.key, no secret) are written. From then on
it signs like any other key. Ed25519 and P-256 keys can be added.

  --ssh-agent      the agent of SSH_AUTH_SOCK; --match says which of its keys
  --pkcs11 URI     a token: pkcs11:token=LABEL;object=LABEL?module-path=/…/module.so
                   (in builds with the tag pkcs11); asks for the PIN, once
  --kms URL        a service for keys: awskms://, gcpkms://, azurekms://,
                   hashivault:// or openbao:// (in builds with the tag kms), by the
                   credentials that its own tools use
  --command LINE   a program that speaks the signer-command protocol (README.md);
                   the line is cut at spaces outside of quotation marks, without a shell`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := f.location(cmd.Flags().Changed)
			if err != nil {
				return err
			}
			if f.holder == "" {
				return cli.Usagef("--holder: say whose key this is")
			}
			public, err := a.ring().Add(cmd.Context(), keyring.KeyElsewhere{Name: args[0], Holder: f.holder, At: at, Timeout: f.timeout}, &a.pass)
			if err != nil {
				return err
			}
			return a.printKey(public)
		},
	}
	cmd.Flags().StringVar(&f.holder, "holder", "", "name of the person who holds the key")
	cmd.Flags().BoolVar(&f.agent, "ssh-agent", false, "the key is in the ssh-agent")
	cmd.Flags().StringVar(&f.match, "match", "", "fingerprint (SHA256:…) or comment of the key in the ssh-agent; needed if it holds several")
	cmd.Flags().StringVar(&f.pkcs11, "pkcs11", "", "URI of the key in a PKCS#11 token (RFC 7512)")
	cmd.Flags().StringVar(&f.kms, "kms", "", "URL of the key in a service for keys")
	cmd.Flags().StringVar(&f.command, "command", "", "program and arguments that sign with the key")
	cmd.Flags().DurationVar(&f.timeout, "timeout", keyring.DefaultTimeout,
		fmt.Sprintf("how long to wait for an answer, a touch or a confirmation each time, %s to %s", keyring.MinTimeout, keyring.MaxTimeout))
	return cmd
}

// location is the one place that the flags name.
func (f addFlags) location(given func(flag string) bool) (keyring.Location, error) {
	places := map[string]func() ([]string, error){
		"ssh-agent": func() ([]string, error) { return []string{f.match}, nil },
		"pkcs11":    func() ([]string, error) { return []string{f.pkcs11}, nil },
		"kms":       func() ([]string, error) { return []string{f.kms}, nil },
		"command":   func() ([]string, error) { return program.Split(f.command) },
	}
	kinds := map[string]string{"ssh-agent": sshagent.Kind, "pkcs11": token.Kind, "kms": kms.Kind, "command": program.Kind}
	var at keyring.Location
	for flag, words := range places {
		if !given(flag) || flag == "ssh-agent" && !f.agent {
			continue
		}
		if at.Kind != "" {
			return keyring.Location{}, cli.Usagef("a key lives in one place: give one of --ssh-agent, --pkcs11, --kms and --command")
		}
		w, err := words()
		if err != nil {
			return keyring.Location{}, cli.Usagef("--%s: %w", flag, err)
		}
		at = keyring.Location{Kind: kinds[flag], Words: w}
	}
	switch {
	case at.Kind == "":
		return at, cli.Usagef("say where the key lives: --ssh-agent, --pkcs11 URI, --kms URL or --command 'PROGRAM ARGS'; `key new` makes one in a file")
	case f.match != "" && !f.agent:
		return at, cli.Usagef("--match goes with --ssh-agent")
	}
	return at, nil
}
