package main

import (
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/spf13/cobra"
)

func (a *app) initCommand() *cobra.Command {
	var rootKeys, signWith []string
	var online, out string
	var threshold int
	var yes bool
	cmd := &cobra.Command{
		Use:   "init --root-key FILE… --online FILE",
		Short: "Start a system: propose its first root and targets",
		Long: `Start a system: propose version 1 of root (who may sign what) and of targets
(which product is whose). The root holders' public files are given with
--root-key, the service's public keys, as "candor-server init" exported them,
with --online. Each root holder then signs the proposal with "event sign".`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if online == "" {
				return cli.Usagef("--online: the file of public keys that candor-server init exported")
			}
			keys, err := readPublics(rootKeys)
			if err != nil {
				return err
			}
			service, err := ceremony.ReadOnline(online)
			if err != nil {
				return err
			}
			p, err := ceremony.Init(ceremony.InitOptions{RootKeys: keys, Threshold: threshold, Online: service, Now: a.now()})
			if err != nil {
				return err
			}
			return a.saveAndSign(cmd.Context(), p, out, signWith, yes)
		},
	}
	cmd.Flags().StringArrayVar(&rootKeys, "root-key", nil, "public file of a root holder; once for each")
	cmd.Flags().IntVar(&threshold, "threshold", 2, "how many root holders must sign")
	cmd.Flags().StringVar(&online, "online", "", "public keys of the service")
	cmd.Flags().StringVar(&out, "out", "init.proposal.json", "file of the proposal")
	cmd.Flags().StringArrayVar(&signWith, "sign", nil, "sign at once with this key of your key directory; may be repeated")
	cmd.Flags().BoolVar(&yes, "yes", false, "with --sign: do not ask to type the fingerprint")
	return cmd
}
