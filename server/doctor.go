package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/candor-ota/candor/server/doctor"
)

// The exit codes of doctor beside 0 (all is well), 1 (it could not examine)
// and 2 (a wrong command line).
const (
	exitWarn = 3
	exitFail = 4
)

// exitError ends the program with a code of its own.
type exitError struct {
	code int
	text string
}

func (e exitError) Error() string { return e.text }

func (a *app) doctorCommand() *cobra.Command {
	var peer string
	cmd := &cobra.Command{
		Use:   "doctor --data DIR",
		Short: "Examine an installation and say what to do",
		Long: "Examines clock, keys, expiries, stores, what is published, disk, descriptors, TLS and proxy, also while the server runs, and changes nothing.\n" +
			"Exit codes: 0 all is well, 3 the worst is a warning, 4 something has failed; 1 it could not examine, 2 a wrong command line.",
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := a.dir()
			if err != nil {
				return err
			}
			found := doctor.Examine(cmd.Context(), doctor.Options{Dir: d, Now: a.now, Peer: peer})
			var text strings.Builder
			for _, f := range found {
				fmt.Fprintf(&text, "%-4s  %s: %s\n", f.Level, f.Check, f.Says)
				if f.Do != "" && f.Level != doctor.OK {
					fmt.Fprintf(&text, "      -> %s\n", f.Do)
				}
			}
			worst := doctor.Worst(found)
			if err := a.print(map[string]any{"worst": worst, "findings": found}, strings.TrimSuffix(text.String(), "\n")); err != nil {
				return err
			}
			switch worst {
			case doctor.Warn:
				return exitError{exitWarn, "something will need attention"}
			case doctor.Fail:
				return exitError{exitFail, "something has failed"}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&peer, "peer", "", "address of a server (https://ota.example.org), whose clock is compared with this one's")
	return cmd
}
