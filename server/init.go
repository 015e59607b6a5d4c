package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/candor-ota/candor/server/config"
)

func (a *app) initCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init --data DIR",
		Short: "Make a data directory with fresh online keys",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := a.dir()
			if err != nil {
				return err
			}
			if err := config.Create(cmd.Context(), d); err != nil {
				return err
			}
			return a.print(map[string]string{"data": string(d), "onlineKeys": d.OnlineKeys(), "config": d.Config()},
				fmt.Sprintf("made %s\nnext: candor-signer init --online %s", d, d.OnlineKeys()))
		},
	}
}
