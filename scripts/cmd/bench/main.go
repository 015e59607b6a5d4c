// Command bench measures the product on this machine and sets each figure
// beside its target. Comparisons hold both sides measured in the same run, in
// turns, since such machines are noisy; servers run as processes of their own,
// and what is compared is requests per second of their CPU time.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// row is one figure. A target of 0 means that there is none.
type row struct {
	Measure string  `json:"measure"`
	Value   float64 `json:"value"`
	Unit    string  `json:"unit"`
	Target  string  `json:"target,omitempty"`
	Met     *bool   `json:"met,omitempty"`
}

func atLeast(measure string, value float64, unit string, least float64) row {
	return row{measure, value, unit, fmt.Sprintf(">= %g", least), new(value >= least)}
}

func atMost(measure string, value float64, unit string, most float64) row {
	return row{measure, value, unit, fmt.Sprintf("<= %g", most), new(value <= most)}
}

func figure(measure string, value float64, unit string) row {
	return row{Measure: measure, Value: value, Unit: unit}
}

// result is what --json prints.
type result struct {
	Name    string `json:"name"`
	Machine string `json:"machine"`
	Rows    []row  `json:"rows"`
}

type bench struct {
	name, what string
	run        func(context.Context, string) ([]row, error)
}

var benches = []bench{
	{"poll", "requests per CPU-second of the real server for timestamp.json, beside a bare net/http handler and nginx", poll},
	{"refresh", "a handset's cold and warm refresh: time and requests", refresh},
	{"install", "a 512 MiB image from download to restart, and the client's memory", install},
	{"vote", "CPU of a vote, and durable votes a second", votes},
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == bareCommand {
		exit(serveBare(os.Args[2]))
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "print one JSON object")
	list := flags.Bool("list", false, "name the benches")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), "Usage: scripts/bench NAME [--json]\n       scripts/bench --list\n\n")
		flags.PrintDefaults()
	}
	names, rest := split(os.Args[1:])
	if err := flags.Parse(rest); err != nil {
		os.Exit(2)
	}
	if *list {
		for _, b := range benches {
			fmt.Printf("%-10s %s\n", b.name, b.what)
		}
		return
	}
	i := slices.IndexFunc(benches, func(b bench) bool { return len(names) == 1 && b.name == names[0] })
	if i < 0 {
		flags.Usage()
		os.Exit(2)
	}
	exit(run(benches[i], *asJSON))
}

// split lets the name stand before or after the flags.
func split(args []string) (names, flags []string) {
	for _, a := range args {
		if strings.HasPrefix(a, "-") {
			flags = append(flags, a)
		} else {
			names = append(names, a)
		}
	}
	return names, flags
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(b bench, asJSON bool) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp("", "candor-bench-")
	if err != nil {
		return err
	}
	rows, err := b.run(ctx, dir)
	if rerr := os.RemoveAll(dir); err == nil {
		err = rerr
	}
	if err != nil {
		return fmt.Errorf("%s: %w", b.name, err)
	}
	r := result{b.name, machine(), rows}
	if asJSON {
		return json.NewEncoder(os.Stdout).Encode(r)
	}
	fmt.Printf("%s: %s\n%s\n\n", b.name, b.what, r.Machine)
	for _, x := range rows {
		verdict := ""
		if x.Met != nil {
			verdict = map[bool]string{true: "met", false: "NOT MET"}[*x.Met]
		}
		fmt.Printf("%-58s %14.4g %-10s %-10s %s\n", x.Measure, x.Value, x.Unit, x.Target, verdict)
	}
	return nil
}

func machine() string {
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
