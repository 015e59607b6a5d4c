package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/candor-ota/candor/manifests/diagnosis"
	"github.com/candor-ota/candor/manifests/diagnosis/diagnosistest"
	"github.com/candor-ota/candor/signer/cli"
	"github.com/candor-ota/candor/signer/explain"
)

// refused writes the tree of a failure, and the root to trust: refused CASE DIR.
func refused(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: refused CASE DIR")
	}
	for _, c := range diagnosistest.Cases() {
		if c.Name == args[0] {
			ts.Check(c.Tree.Write(ts.MkAbs(args[1])))
			ts.Check(os.WriteFile(ts.MkAbs("trusted.json"), c.TrustedRoot(), 0o600))
			ts.Setenv("NOW", c.Tree.Now.Format("2006-01-02T15:04:05Z"))
			return
		}
	}
	ts.Fatalf("there is no case %s", args[0])
}

// An advice that names a command which is not there is worse than none.
func TestAdvisedCommandsExist(t *testing.T) {
	for _, c := range diagnosis.Cases() {
		of := c.Maker.Command
		for _, text := range []string{of.Any, of.Root, of.Releases, of.Online, explain.SignCommand + " FILE --key NAME"} {
			if rest, ours := strings.CutPrefix(text, "candor-signer "); ours {
				commandExists(t, rest)
			}
		}
	}
}

// commandExists parses a command line against the real tree of commands.
func commandExists(t *testing.T, line string) {
	t.Helper()
	args := strings.Fields(line)
	cmd, rest, err := newCommand().Find(args)
	if err != nil || !cmd.Runnable() || cmd.HasSubCommands() {
		t.Errorf("candor-signer %s: there is no such command (%v)", line, err)
		return
	}
	if err := cmd.ParseFlags(rest); err != nil {
		t.Errorf("candor-signer %s: %v", line, err)
	} else if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		t.Errorf("candor-signer %s: %v", line, err)
	}
}

// README.md, the help and the code have the same exit statuses.
func TestExitStatusesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range cli.Statuses {
		if s.Status != i {
			t.Errorf("line %d of the table is about %d", i, s.Status)
		}
		if !strings.Contains(string(page), s.String()) {
			t.Errorf("README.md lacks the line\n%s", s.String())
		}
	}
	if !strings.Contains(newCommand().Long, cli.Table()) {
		t.Error("the help does not show the table")
	}
}

// README.md explains every kind of refusal.
func TestEveryKindOfRefusalIsDocumented(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	handset := []diagnosis.Kind{diagnosis.Local}
	for _, c := range diagnosis.Cases() {
		if !slices.Contains(handset, c.Kind) && !strings.Contains(string(page), "\n| `"+string(c.Kind)+"` |") {
			t.Errorf("README.md does not explain %s", c.Kind)
		}
	}
}
