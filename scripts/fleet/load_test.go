package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/scripts/figure"
	"github.com/candor-ota/candor/scripts/fleet/load"
)

func TestLoadOfOthersServersIsRefused(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("candor_x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	files := []string{"--token-file", token, "--root", token, "--opt-in", "0"}
	for _, fine := range [][]string{
		{"--server", "http://127.0.0.1:8080,http://[::1]:8081/, https://localhost"},
		{"--server", "https://updates.example.org", "--i-own-these-servers"},
	} {
		if o, err := parseLoad(append(fine, files...)); err != nil || len(o.Servers) == 0 || o.Token != "candor_x" {
			t.Errorf("%v: %+v, %v", fine, o, err)
		}
	}
	for _, other := range []string{"https://updates.example.org", "http://127.0.0.1.example.org", "http://192.0.2.1", "http://localhost@192.0.2.1", "http://127.0.0.1,http://192.0.2.1"} {
		if _, err := parseLoad(append([]string{"--server", other}, files...)); err == nil || !strings.Contains(err.Error(), "--server") {
			t.Errorf("%s: %v", other, err)
		}
	}
}

func TestLoadFlagsThatMeanNothingAreRefused(t *testing.T) {
	for flag, says := range map[string]string{
		"--handsets=0":              "--handsets",
		"--handsets=1000001":        "--handsets",
		"--rate=0":                  "--rate",
		"--rate=NaN":                "--rate",
		"--rate=200000":             "--rate",
		"--duration=1ms":            "--duration",
		"--duration=2h":             "--duration",
		"--in-flight=0":             "--in-flight",
		"--opt-in=101":              "--opt-in",
		"--opt-in=1,2":              "--opt-in",
		"--fail-share=x":            "--fail-share",
		"--timeout=1h":              "--timeout",
		"--p99=-1s":                 "--p99",
		"--server=ftp://there":      "--server",
		"--server=http://127.0.0.1": "--token-file",
		"more":                      "more",
	} {
		if _, err := parseLoad([]string{flag}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

// A real server, 200 handsets, all opted in, by way of two addresses: each
// handset walks, decides and votes, and no vote is lost.
func TestLoadLosesNoVote(t *testing.T) {
	o, err := parseLoad([]string{"--handsets", "200", "--rate", "150", "--duration", "4s", "--opt-in", "100", "--fail-share", "1", "--cold"})
	if err != nil {
		t.Fatal(err)
	}
	end, err := o.ownServer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := end(); err != nil {
			t.Error(err)
		}
	}()
	o.Servers = append(o.Servers, strings.Replace(o.Servers[0], "127.0.0.1", "localhost", 1))
	o.Timeout = time.Minute // this machine may be busy
	rows, err := load.Run(t.Context(), o.Options)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, r := range rows {
		got[r.Measure] = r.Value
		if strings.HasPrefix(r.Measure, "errors, ") {
			t.Errorf("%s: %g", r.Measure, r.Value)
		}
	}
	installed, failed := got["handsets that came to a new build"], got["trials that failed"]
	if installed+failed != 200 || failed == 0 || got["enrolment: done"] != 200 || got["token: done"] != 800 || got["vote: done"] != 400 || got["poll, 200: done"] < 200 || got["poll, 304: done"] == 0 {
		t.Errorf("%v", rows)
	}
	for measure, want := range map[string]float64{
		"votes acknowledged": 400, "votes counted by the service": 400, "votes still in outboxes": 0,
		"conservation: acknowledged and not counted": 0, "conservation: counted and never sent": 0,
	} {
		if got[measure] != want {
			t.Errorf("%s: %g, want %g", measure, got[measure], want)
		}
	}
	var b strings.Builder
	if err := (figure.Report{Name: "load", Rows: rows}).JSON(&b); err != nil {
		t.Error(err)
	}
}
