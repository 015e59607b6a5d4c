package main

import (
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests/diagnosis"
)

// An advice that names a command which is not there is worse than none.
func TestAdvisedCommandsExist(t *testing.T) {
	for _, c := range diagnosis.Cases() {
		for _, text := range []string{c.Owner.Command.Any, "candor-client retry 42", "candor-client receipts --verify", "candor-client consent show", "candor-client consent off"} {
			rest, ours := strings.CutPrefix(text, "candor-client ")
			if !ours {
				continue
			}
			cmd, args, err := newCommand().Find(strings.Fields(rest))
			if err != nil || !cmd.Runnable() {
				t.Errorf("%s: there is no such command (%v)", text, err)
			} else if err := cmd.ParseFlags(args); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
}
