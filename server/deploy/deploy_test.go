// Package deploy_test runs what can be run of this folder without a container
// engine; scripts/tools/deploy holds the rest to the tools that will read it.
package deploy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/candor-ota/candor/server/store/storetest"
)

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestUnitIsOneAndHardened(t *testing.T) {
	unit := read(t, "systemd/candor-server.service")
	const program = "/usr/local/bin/candor-server"
	if !strings.Contains(unit, "ExecStart="+program+" run") {
		t.Fatal("the unit starts something else")
	}
	// systemd looks whether the program is there.
	file := write(t, filepath.Join(t.TempDir(), "candor-server.service"), strings.ReplaceAll(unit, program, "/bin/true"))
	for _, args := range [][]string{
		{"verify", "--man=no", file},
		{"security", "--no-pager", "--offline=true", "--threshold=15", file}, // in tenths: at most 1.5 of 10
	} {
		out, err := exec.Command("systemd-analyze", args...).CombinedOutput() // scripts/test installs it
		if err != nil || args[0] == "verify" && len(bytes.TrimSpace(out)) > 0 {
			t.Errorf("systemd-analyze %v: %v\n%s", args, err, out)
		}
	}
}

// Whoever kills a server while it brings a ledger of 10^8 rows up to date gets
// one that never starts.
func TestStartMayTakeAnHour(t *testing.T) {
	if !strings.Contains(read(t, "systemd/candor-server.service"), "\nTimeoutStartSec=1h\n") {
		t.Error("systemd ends a start after its own minute and a half")
	}
	probe := regexp.MustCompile(`startupProbe: .*periodSeconds: (\d+), failureThreshold: (\d+)}`).FindStringSubmatch(read(t, "helm/candor/templates/statefulset.yaml"))
	if probe == nil {
		t.Fatal("the chart has no startupProbe")
	}
	every, err := strconv.Atoi(probe[1])
	times, other := strconv.Atoi(probe[2])
	if err != nil || other != nil || every*times < 3600 {
		t.Errorf("Kubernetes ends a start by %q", probe)
	}
}

// prepared runs compose/prepare in a copy.
func prepared(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	script := write(t, filepath.Join(dir, "prepare"), read(t, "compose/prepare"))
	for range 2 { // again is fine, and changes nothing
		before, _ := os.ReadFile(filepath.Join(dir, "secrets", "proxy.crt"))
		if out, err := exec.Command("sh", script, "ota.example.org").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if before != nil && string(before) != read(t, filepath.Join(dir, "secrets", "proxy.crt")) {
			t.Error("the second time made another certificate")
		}
	}
	return dir
}

func TestProxyOfComposeIsNginxs(t *testing.T) {
	dir := prepared(t)
	text := strings.NewReplacer("/run/secrets/proxy-cert", dir+"/secrets/proxy.crt", "/run/secrets/proxy-key", dir+"/secrets/proxy.key", "server:8080", "127.0.0.1:8080", "/dev/stderr", dir+"/error.log").
		Replace(read(t, "compose/nginx.conf"))
	out, err := exec.Command("nginx", "-t", "-p", dir, "-g", "pid "+dir+"/pid;", "-c", write(t, filepath.Join(dir, "nginx.conf"), text)).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if !strings.Contains(text, "access_log off") || !strings.Contains(text, "ssl_session_tickets off") {
		t.Error("the proxy keeps what ties a vote to a handset")
	}
}

// TestServerOfComposeRuns does natively what the Dockerfile and compose.yaml do
// in containers: builds the program as they do, and runs it with their
// config.yaml on a real PostgreSQL and a real bucket.
func TestServerOfComposeRuns(t *testing.T) {
	dir := t.TempDir()
	program, data := filepath.Join(dir, "candor-server"), filepath.Join(dir, "data")
	build := regexp.MustCompile(`go build (.*) -o /out/candor-server (\./server)`).FindStringSubmatch(read(t, "Dockerfile"))
	if build == nil || build[1] != `-tags nomsgpack -trimpath -ldflags="-s -w"` {
		t.Fatalf("the Dockerfile builds by %q", build)
	}
	if flags := read(t, "../../scripts/flags.sh"); !strings.Contains(flags, "-tags=nomsgpack\"") || !strings.Contains(read(t, "README.md"), "go build "+build[1]) {
		t.Error("what is tested is built otherwise than what ships")
	}
	cmd := exec.Command("go", "build", "-tags", "nomsgpack", "-trimpath", "-ldflags=-s -w", "-o", program, build[2])
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for range 2 {
		if out, err := exec.Command(program, "init", "--if-missing", "--data", data).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	postgres, bucket := storetest.StartPostgres(t), storetest.StartS3(t)
	c := bucket.Config(t, "candor")
	for name, text := range map[string]string{"postgres": postgres.Password, "s3-access": c.AccessKey, "s3-secret": c.SecretKey, "s3-ca": read(t, bucket.CAFile)} {
		write(t, filepath.Join(dir, name), text)
	}
	config := strings.NewReplacer(
		"postgres://candor@postgres:5432/candor?sslmode=disable", postgres.Database(t), "s3:7070", c.Endpoint, "/run/secrets", dir,
		"0.0.0.0:8080", "127.0.0.1:0", "0.0.0.0:9090", "127.0.0.1:0",
	).Replace(read(t, "compose/config.yaml"))
	write(t, filepath.Join(data, "config.yaml"), config)
	var log bytes.Buffer
	server := exec.Command(program, "run", "--data", data, "--admin", "127.0.0.1:0", "--json")
	server.Stderr = &log
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	var address struct{ Listen, Admin string }
	if err := json.NewDecoder(out).Decode(&address); err != nil {
		t.Fatalf("%v: %v\n%s", err, server.Wait(), &log)
	}
	resp, err := http.Get(address.Listen + "/v1/products")
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("%v, %v", resp, err)
	} else if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	admin := strings.TrimPrefix(address.Admin, "http://")
	if out, err := exec.Command(program, "healthy", "--live", "--admin", admin).CombinedOutput(); err != nil { // as HEALTHCHECK does
		t.Errorf("%v\n%s", err, out)
	}
	examined, err := exec.Command(program, "doctor", "--data", data).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 || !strings.Contains(string(examined), "no root of trust yet") {
		t.Errorf("doctor: %v\n%s", err, examined)
	}
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := server.Wait(); err != nil {
		t.Errorf("%v\n%s", err, &log)
	}
}
