package main

import (
	"fmt"
	"strings"

	"github.com/candor-ota/candor/signer/cli"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/spf13/cobra"
)

// keyInfo is a key as --json prints it.
type keyInfo struct {
	Name        string `json:"name"`
	Holder      string `json:"holder"`
	Type        string `json:"type"`
	KeyID       string `json:"keyid"`
	Fingerprint string `json:"fingerprint"`
	Where       string `json:"where"` // the private half: "file", or kind and place
}

func (a *app) infoOf(p keyring.Public) (keyInfo, error) {
	words, err := keyring.Words(p.KeyID)
	if err != nil {
		return keyInfo{}, err
	}
	at, err := a.ring().Location(p.Name)
	return keyInfo{p.Name, p.Holder, p.Key.Scheme, p.KeyID, words, at.String()}, err
}

func (i keyInfo) lines() []string {
	return []string{
		"key:         " + i.Name,
		"holder:      " + i.Holder,
		"type:        " + i.Type,
		"id:          " + i.KeyID,
		"fingerprint: " + i.Fingerprint,
		"lives in:    " + i.Where,
	}
}

func (a *app) keyCommand() *cobra.Command {
	return cli.Group("key", "Make, add and show keys", a.keyNew(), a.keyAdd(), a.keyImport(), a.keyList(), a.keyShow())
}

func (a *app) keyNew() *cobra.Command {
	k := keyring.NewKey{}
	cmd := &cobra.Command{
		Use:   "new NAME --holder \"Alice Chen\"",
		Short: "Make a key for one person",
		Long: `Make a key for one person. The private part is written to NAME.key, encrypted
under a passphrase; the public part to NAME.pub. Hand out the public part only.
A passphrase that is lost cannot be recovered, and neither can the key.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if k.Holder == "" {
				return cli.Usagef("--holder: say whose key this is")
			}
			k.Name = args[0]
			passphrase, err := a.pass.choose(cmd.Context(), k.Name)
			if err != nil {
				return err
			}
			public, err := a.ring().Create(k, passphrase)
			if err != nil {
				return err
			}
			return a.printKey(public)
		},
	}
	cmd.Flags().StringVar(&k.Holder, "holder", "", "name of the person who holds the key")
	cmd.Flags().StringVar(&k.Type, "type", keyring.TypeEd25519, "ed25519 or p256")
	cmd.Flags().IntVar(&k.WorkFactor, "work-factor", keyring.DefaultWorkFactor,
		fmt.Sprintf("cost of guessing the passphrase, as a power of two, %d to %d; 18 takes about a second", keyring.MinWorkFactor, keyring.MaxWorkFactor))
	return cmd
}

func (a *app) keyList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List your keys",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			keys, err := a.ring().List()
			if err != nil {
				return err
			}
			infos, lines := []keyInfo{}, []string{}
			for _, k := range keys {
				info, err := a.infoOf(k)
				if err != nil {
					return err
				}
				infos = append(infos, info)
				lines = append(lines, fmt.Sprintf("%-20s %-24s %-20s %-10s %s", info.Name, info.Holder, info.Type, kindOf(info.Where), info.Fingerprint))
			}
			if len(lines) == 0 {
				lines = []string{"no keys in " + a.keysDir + "; `key new` makes one, `key add` takes one that lives elsewhere"}
			}
			return a.print(struct {
				Keys []keyInfo `json:"keys"`
			}{infos}, lines...)
		},
	}
}

func (a *app) keyShow() *cobra.Command {
	var public bool
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show a key's id and its fingerprint in words",
		Long: `Show a key's id and its fingerprint: words to read to each other, so that
both know that it is the same key. With --public the public file itself is
printed, for others: candor-signer key show alice --public > alice.pub`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := a.ring().Public(args[0])
			if err != nil {
				return err
			}
			if !public {
				return a.printKey(p)
			}
			data, err := p.Marshal()
			if err != nil {
				return err
			}
			_, err = a.out.Write(data)
			return err
		},
	}
	cmd.Flags().BoolVar(&public, "public", false, "print the public file")
	return cmd
}

// kindOf is the first word of where a key lives.
func kindOf(where string) string {
	kind, _, _ := strings.Cut(where, " ")
	return kind
}

func (a *app) printKey(p keyring.Public) error {
	info, err := a.infoOf(p)
	if err != nil {
		return err
	}
	return a.print(info, info.lines()...)
}
