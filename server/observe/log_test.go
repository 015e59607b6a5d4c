package observe

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestServerLogHasNoAddresses(t *testing.T) {
	for _, line := range []string{
		"http: TLS handshake error from 192.0.2.7:51234: EOF",
		"http: TLS handshake error from [2001:db8::7]:51234: tls: first record does not look like a TLS handshake",
		"http: panic serving 192.0.2.7:51234: boom\ngoroutine 7 [running]:\nmain.x()",
		"http: Accept error: accept tcp [fe80::7%eth0]:80: too many open files; retrying in 5ms",
	} {
		var out bytes.Buffer
		ServerLog(Log(&out, "text", slog.LevelDebug)).Print(line)
		got := out.String()
		if strings.Contains(got, "192.0.2.7") || strings.Contains(got, "db8") || strings.Contains(got, "fe80") || strings.Contains(got, "51234") {
			t.Errorf("%q became %q", line, got)
		}
		if strings.Count(got, "\n") != 1 || !strings.Contains(got, "http: ") {
			t.Errorf("%q became %q", line, got)
		}
	}
}
