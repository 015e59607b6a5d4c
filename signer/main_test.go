package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/candor-ota/candor/signer/cli"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"candor-signer": main})
}

// TestCommandLine runs the scripts in testdata/script. Each begins with a
// server of its own ($SERVER, whose published tree is $TREE and whose public
// keys are in online.json) and a passphrase file pw.
func TestCommandLine(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			s, err := newFakeServer(filepath.Join(env.WorkDir, "tree"))
			if err != nil {
				return err
			}
			env.Defer(s.http.Close)
			env.Values[serverKey] = s
			if err := examplePlan(env.WorkDir); err != nil {
				return err
			}
			env.Setenv("SERVER", s.http.URL)
			env.Setenv("TREE", s.dir)
			env.Setenv("HOME", env.WorkDir)
			for name, data := range map[string][]byte{
				"online.json": s.online(), "pw": []byte("a test passphrase\n"), "token": []byte(testToken + "\n"),
				"vote-keys.json": voteKeys(),
			} {
				if err := os.WriteFile(filepath.Join(env.WorkDir, name), data, 0o600); err != nil {
					return err
				}
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"people": makePeople, "image": makeImage, "payload": makePayload, "spoil": spoil, "server": serverDoes, "exits": exits, "newonline": newOnline, "reword": reword, "typeable": typeable, "oldroots": oldRoots, "oldtool": oldTool, "refused": refused, "pipeline": pipeline, "quietly": quietly, "eventid": eventIDOf, "loseanswer": loseAnswers},
	})
}

func TestExitStatusTellsWrongUseFromRefusal(t *testing.T) {
	keys := "--keys=" + t.TempDir()
	for want, args := range map[int][]string{
		0:           {keys, "key", "list"},
		cli.Failure: {keys, "key", "show", "nobody"},
		cli.Usage:   {keys, "key", "show"},
	} {
		if got := run(args); got != want {
			t.Errorf("%v: exit status %d, expected %d", args, got, want)
		}
	}
}
