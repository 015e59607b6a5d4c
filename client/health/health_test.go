package health_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/client/health"
	"github.com/candor-ota/candor/manifests"
)

func sh(script string) health.Check {
	return health.Check{Command: []string{"/bin/sh", "-c", script}, Timeout: 10 * time.Second}
}

func TestAllChecksMustSucceed(t *testing.T) {
	good := sh("exit 0")
	if err := health.Run(context.Background(), []health.Check{good, good}, health.Booted{}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		check health.Check
		want  string
	}{
		"fails":     {sh("echo no modem; exit 3"), "no modem"},
		"is absent": {health.Check{Command: []string{"/nonexistent/check"}, Timeout: time.Second}, "no such file"},
		"hangs":     {health.Check{Command: []string{"/bin/sh", "-c", "while :; do :; done"}, Timeout: 50 * time.Millisecond}, "no answer within 50ms"},
		"floods":    {sh("head -c 1000000 /dev/zero | tr '\\0' x; exit 1"), "exit status 1"},
	} {
		t.Run(name, func(t *testing.T) {
			err := health.Run(context.Background(), []health.Check{good, c.check}, health.Booted{})
			if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 4096 {
				t.Fatalf("got %.200v, want %q", err, c.want)
			}
		})
	}
}

func TestCheckIsToldWhatWasBooted(t *testing.T) {
	out := filepath.Join(t.TempDir(), "in")
	err := health.Run(context.Background(), []health.Check{sh("cat > " + out)}, health.Booted{Product: "phone", Build: 42, Slot: "b", Images: map[manifests.Name]string{"system": "/dev/x"}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out)
	if err != nil || string(got) != `{"product":"phone","build":42,"slot":"b","images":{"system":"/dev/x"}}` {
		t.Fatalf("got %s, %v", got, err)
	}
}
