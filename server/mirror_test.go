package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/candor-ota/candor/server/carry"
)

func TestMirrorSaysWhatIsWrong(t *testing.T) {
	dir, to := made(t), filepath.Join(t.TempDir(), "mirror")
	if _, err := command(t, "mirror", "--from", dir, "--to", to); !errors.Is(err, carry.ErrNothing) {
		t.Errorf("got %v", err)
	}
	for want, args := range map[string][]string{
		"--to is needed":   {"--from", dir},
		"--from is needed": {"--to", to},
		"not the http":     {"--from", "ftp://x", "--to", to},
		"not empty":        {"--from", dir, "--to", dir},
		"1s at least":      {"--from", dir, "--to", to, "--every", "-3s"},
		"or 0 for once":    {"--from", dir, "--to", to, "--every", "1ms"},
		"no such file":     {"--from", "https://x", "--ca-file", "/none", "--to", to},
	} {
		if _, err := command(t, append([]string{"mirror"}, args...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", args, err)
		}
	}
}
