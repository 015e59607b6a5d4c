//go:build pkcs11 && cgo

package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestTokens runs the scripts in testdata/tokens, with a program that was built
// for tokens, each with SoftHSM ($MODULE) and a directory of tokens of its own,
// and no server.
func TestTokens(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/tokens",
		Setup: func(env *testscript.Env) error {
			s, err := newFakeServer(filepath.Join(env.WorkDir, "tree"))
			if err != nil {
				return err
			}
			defer s.http.Close()
			env.Setenv("HOME", env.WorkDir)
			for _, path := range []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so", "/usr/lib/pkcs11/libsofthsm2.so"} {
				if _, err := os.Stat(path); err == nil {
					env.Setenv("MODULE", path)
				}
			}
			conf, tokens := filepath.Join(env.WorkDir, "softhsm2.conf"), filepath.Join(env.WorkDir, "tokens")
			env.Setenv("SOFTHSM2_CONF", conf)
			return errors.Join(
				os.Mkdir(tokens, 0o700),
				os.WriteFile(conf, []byte("directories.tokendir = "+tokens+"\nlog.level = ERROR\n"), 0o600),
				os.WriteFile(filepath.Join(env.WorkDir, "online.json"), s.online(), 0o600),
			)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"quietly": quietly},
	})
}
