package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// print shows a result: lines for people, or v as one JSON object.
func (a *app) print(v any, lines ...string) error {
	if !a.json {
		for _, line := range lines {
			if _, err := fmt.Fprintln(a.out, line); err != nil {
				return err
			}
		}
		return nil
	}
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// tell shows something for people that is not the result, on standard error.
func (a *app) tell(lines ...string) error {
	_, err := fmt.Fprintln(a.err, strings.Join(lines, "\n"))
	return err
}

// progress makes a bar on standard error; it is silent unless that is a
// terminal. total is in bytes.
func (a *app) progress(what string, total int64) *progressbar.ProgressBar {
	w := io.Discard
	if f, ok := a.err.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		w = f
	}
	return progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what),
		progressbar.OptionShowBytes(true), progressbar.OptionFullWidth(),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(),
		// without a spinner of its own clock, the bar is drawn by its caller only
		progressbar.OptionSetSpinnerChangeInterval(0))
}
