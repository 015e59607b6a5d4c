package main

import (
	"bytes"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// reword changes the first place of some words in a file: reword FILE OLD NEW.
func reword(ts *testscript.TestScript, _ bool, args []string) {
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	if !bytes.Contains(data, []byte(args[1])) {
		ts.Fatalf("%s does not say %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), bytes.Replace(data, []byte(args[1]), []byte(args[2]), 1), 0o644))
}

// typeable demands that each command of this program in a runbook exists, with
// its flags: typeable FILE.
func typeable(ts *testscript.TestScript, _ bool, args []string) {
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	found := 0
	for line := range strings.Lines(string(data)) {
		_, typed, ok := strings.Cut(line, "candor-signer ")
		if !ok || !strings.HasPrefix(strings.TrimSpace(line), "$") {
			continue
		}
		found++
		words := strings.Fields(typed)
		cmd, _, err := newCommand().Find(words)
		if err != nil || !cmd.Runnable() || !cmd.HasParent() || cmd.HasSubCommands() {
			ts.Fatalf("the runbook says to type %q, which is no command (%v)", typed, err)
		}
		for _, w := range words {
			name, isFlag := strings.CutPrefix(w, "--")
			if isFlag && cmd.Flags().Lookup(name) == nil && cmd.InheritedFlags().Lookup(name) == nil {
				ts.Fatalf("the runbook says to type %q, which has no --%s", typed, name)
			}
		}
	}
	if found < 4 {
		ts.Fatalf("%s: %d commands", args[0], found)
	}
}
