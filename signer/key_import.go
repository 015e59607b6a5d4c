package main

import (
	"fmt"

	"github.com/candor-ota/candor/signer/cli"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/spf13/cobra"
)

func (a *app) keyImport() *cobra.Command {
	k := keyring.NewKey{}
	var from string
	var old passphrases
	cmd := &cobra.Command{
		Use:   "import NAME --from FILE.pem --holder \"Alice Chen\"",
		Short: "Take in a private key that another tool made",
		Long: `Take in a private key that another tool made, in a PEM file: Ed25519 or P-256,
PKCS #8 (plain or encrypted) or SEC 1, as python-tuf, tuf-on-ci, tough and openssl
write them. It is kept like a key of "key new", under a passphrase of its own.

The PEM file stays where it is. Destroy it, and every copy of it, once you have
seen that the new one signs.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if k.Holder == "" || from == "" {
				return cli.Usagef("--from and --holder: the PEM file, and whose key it is")
			}
			k.Name = args[0]
			data, err := keyring.ReadFile(from, keyring.MaxPEM)
			if err != nil {
				return err
			}
			old.fd = -1
			signer, err := keyring.ParsePEM(data, func() (string, error) {
				return old.Ask(cmd.Context(), keyring.Question{What: "passphrase", Of: "file " + from})
			})
			if err != nil {
				return fmt.Errorf("%s: %w", from, err)
			}
			passphrase, err := a.pass.choose(cmd.Context(), k.Name)
			if err != nil {
				return err
			}
			public, err := a.ring().Import(k, signer, passphrase)
			if err != nil {
				return err
			}
			return a.printKey(public)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "PEM file of the private key")
	cmd.Flags().StringVar(&k.Holder, "holder", "", "name of the person who holds the key")
	cmd.Flags().StringVar(&old.file, "from-passphrase-file", "", "read the passphrase of the PEM file from the first line of this file")
	cmd.Flags().IntVar(&k.WorkFactor, "work-factor", keyring.DefaultWorkFactor,
		fmt.Sprintf("cost of guessing the passphrase, as a power of two, %d to %d; 18 takes about a second", keyring.MinWorkFactor, keyring.MaxWorkFactor))
	return cmd
}
