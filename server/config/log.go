package config

import (
	"io"
	"log/slog"

	"github.com/candor-ota/candor/server/observe"
)

// Log says in which form the server tells what it does, on standard error.
type Log struct {
	// Format is text (key=value) or json; text if empty.
	Format string `json:"format,omitempty"`
	// Level is the least that is written: debug, info, warn or error; info if
	// empty.
	Level string `json:"level,omitempty"`
}

func (l Log) level() (level slog.Level, err error) {
	if l.Level != "" {
		err = level.UnmarshalText([]byte(l.Level))
	}
	return level, err
}

func (l Log) validate(say say) {
	if l.Format != "" && l.Format != "text" && l.Format != "json" {
		say("log.format", "%q is neither text nor json", l.Format)
	}
	if _, err := l.level(); err != nil {
		say("log.level", "%q is none of debug, info, warn, error", l.Level)
	}
}

// Logger makes the log of a configuration that was validated.
func (l Log) Logger(w io.Writer) *slog.Logger {
	level, err := l.level()
	if err != nil {
		level = slog.LevelInfo
	}
	return observe.Log(w, l.Format, level)
}
