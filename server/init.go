package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/candor-ota/candor/server/config"
)

func (a *app) initCommand() *cobra.Command {
	var ifMissing bool
	cmd := &cobra.Command{
		Use:   "init --data DIR [--if-missing]",
		Short: "Make a data directory with fresh online keys",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := a.dir()
			if err != nil {
				return err
			}
			if _, err := os.Stat(d.Config()); ifMissing && err == nil {
				return a.print(map[string]string{"data": string(d)}, string(d)+" is there already")
			}
			if err := config.Create(cmd.Context(), d); err != nil {
				return err
			}
			return a.print(map[string]string{"data": string(d), "onlineKeys": d.OnlineKeys(), "config": d.Config()},
				fmt.Sprintf("made %s\nnext: candor-signer init --online %s", d, d.OnlineKeys()))
		},
	}
	cmd.Flags().BoolVar(&ifMissing, "if-missing", false, "leave a data directory that is there alone, for containers that start again")
	return cmd
}
