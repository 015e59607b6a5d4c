package config

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLogIsAsItWasAskedFor(t *testing.T) {
	for config, want := range map[string]string{
		`listen: "127.0.0.1:1"`:          "level=INFO msg=i|level=ERROR msg=e",
		`log: {level: error}`:            "level=ERROR msg=e",
		`log: {format: json}`:            `"level":"INFO","msg":"i"|"level":"ERROR","msg":"e"`,
		`log: {level: debug}`:            "level=DEBUG msg=d|level=INFO msg=i|level=ERROR msg=e",
		`log: {format: text, level: ""}`: "level=INFO msg=i|level=ERROR msg=e",
	} {
		f, err := Parse([]byte(config))
		if err != nil {
			t.Fatal(config, err)
		}
		var out bytes.Buffer
		l := f.Log.Logger(&out)
		l.Debug("d")
		l.Info("i")
		l.Error("e")
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		for i, w := range strings.Split(want, "|") {
			if len(lines) != strings.Count(want, "|")+1 || !strings.Contains(lines[i], w) {
				t.Errorf("%s: %q, want %q", config, lines, want)
				break
			}
		}
	}
}

func TestWatchingThatCannotBeIsRefused(t *testing.T) {
	headers := filepath.Join(t.TempDir(), "headers")
	if err := os.WriteFile(headers, []byte("# key\nApi-Key: k\n\nno header\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for config, field := range map[string]string{
		`log: {format: xml}`:                                                          "log.format",
		`log: {level: loud}`:                                                          "log.level",
		`tracing: {otlpEndpoint: "collector:4318"}`:                                   "tracing.otlpEndpoint",
		`tracing: {otlpEndpoint: "ftp://c"}`:                                          "tracing.otlpEndpoint",
		`tracing: {otlpEndpoint: "https://c/?key=1"}`:                                 "tracing.otlpEndpoint",
		`tracing: {}`:                                                                 "tracing.otlpEndpoint",
		`tracing: {otlpEndpoint: "https://c", samplePPM: 1000001}`:                    "tracing.samplePPM",
		`tracing: {otlpEndpoint: "https://c", headersFile: "x"}`:                      "tracing.headersFile",
		fmt.Sprintf(`tracing: {otlpEndpoint: "https://c", headersFile: %q}`, headers): "line 4",
		fmt.Sprintf(`tracing: {otlpEndpoint: "http://c", headersFile: %q}`, headers):  "in the clear",
	} {
		if _, err := Parse([]byte(config)); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", config, err)
		}
	}
}

func TestTracingIsOffUnlessAskedFor(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	off, err := (*Tracing)(nil).Open(log)
	if err != nil || off.Tracer() != nil || off.Close(t.Context()) != nil {
		t.Errorf("%v, %v", off, err)
	}
	f, err := Parse([]byte(`tracing: {otlpEndpoint: "http://127.0.0.1:1"}`))
	if err != nil {
		t.Fatal(err)
	}
	on, err := f.Tracing.Open(log)
	if err != nil || on.Tracer() == nil {
		t.Fatalf("%v, %v", on, err)
	}
	if err := on.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
