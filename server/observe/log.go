package observe

import (
	"io"
	"log"
	"log/slog"
	"regexp"
	"strings"
)

// Log makes the log: one line for each event, as key=value (text) or as JSON,
// from a level on. Any other format is text.
func Log(w io.Writer, format string, level slog.Level) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// ServerLog is for http.Server, which writes the address of a peer into many of
// its messages: it is taken out.
func ServerLog(to *slog.Logger) *log.Logger { return log.New(serverLines{to}, "", 0) }

type serverLines struct{ to *slog.Logger }

var (
	addresses = regexp.MustCompile(`\[[0-9a-fA-F:.]+(%\w+)?\](:\d+)?|\b\d{1,3}(\.\d{1,3}){3}(:\d+)?\b`)
	stacks    = regexp.MustCompile(`(?s)\ngoroutine .*`)
)

func (s serverLines) Write(line []byte) (int, error) {
	text := strings.TrimSpace(addresses.ReplaceAllString(string(line), "ADDRESS"))
	stack := stacks.FindString(text)
	text = strings.TrimSuffix(text, stack)
	if strings.Contains(text, "TLS handshake error") { // whoever scans makes as many as they like
		s.to.Debug("http", "said", text)
	} else if stack != "" {
		s.to.Error("http", "said", text, "stack", strings.TrimSpace(stack))
	} else {
		s.to.Warn("http", "said", text)
	}
	return len(line), nil
}
