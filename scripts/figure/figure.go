// Package figure is the form in which this house sets what it measures beside
// what it aims at: for people a table, for programs one JSON object. The
// benches and the fleet simulator print it.
package figure

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strings"
)

// Row is one figure.
type Row struct {
	Measure string  `json:"measure"`
	Value   float64 `json:"value"`
	Unit    string  `json:"unit"`
	Target  string  `json:"target,omitempty"`
	Met     *bool   `json:"met,omitempty"` // nil: there is no target
}

// AtLeast is a figure that should not be below a bound.
func AtLeast(measure string, value float64, unit string, least float64) Row {
	return Row{measure, value, unit, fmt.Sprintf(">= %g", least), new(value >= least)}
}

// AtMost is a figure that should not be above a bound.
func AtMost(measure string, value float64, unit string, most float64) Row {
	return Row{measure, value, unit, fmt.Sprintf("<= %g", most), new(value <= most)}
}

// Near is a figure that should be a number, give or take some slack.
func Near(measure string, value float64, unit string, number, slack float64) Row {
	return Row{measure, value, unit, fmt.Sprintf("%g +- %.2g", number, slack), new(math.Abs(value-number) <= slack)}
}

// Of is a figure without a target.
func Of(measure string, value float64, unit string) Row {
	return Row{Measure: measure, Value: value, Unit: unit}
}

// Report is one JSON object: figures of one kind from one machine.
type Report struct {
	Name    string `json:"name"`
	Machine string `json:"machine"`
	Rows    []Row  `json:"rows"`
}

// JSON writes the report as one line.
func (r Report) JSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

// Table writes rows for people.
func Table(w io.Writer, rows []Row) error {
	width := 58
	for _, x := range rows {
		width = max(width, len(x.Measure))
	}
	for _, x := range rows {
		verdict := ""
		if x.Met != nil {
			verdict = map[bool]string{true: "met", false: "NOT MET"}[*x.Met]
		}
		if _, err := fmt.Fprintf(w, "%-*s %14.4g %-10s %-10s %s\n", width, x.Measure, x.Value, x.Unit, x.Target, verdict); err != nil {
			return err
		}
	}
	return nil
}

// Machine says in one line on what the figures were measured.
func Machine() string {
	model := "unknown CPU"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%s, %d cores, %s %s/%s", model, runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
