// Command bench measures the product on this machine and sets each figure
// beside its target. Comparisons hold both sides measured in the same run, in
// turns, since such machines are noisy; servers run as processes of their own,
// and what is compared is requests per second of their CPU time.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/candor-ota/candor/scripts/figure"
)

type bench struct {
	name, what string
	run        func(context.Context, string) ([]figure.Row, error)
	// runPair measures two images of the caller's own, where that makes sense.
	runPair func(ctx context.Context, dir, old, next string) ([]figure.Row, error)
}

var benches = []bench{
	{"poll", "requests per CPU-second of the real server for timestamp.json, beside a bare net/http handler and nginx", poll, nil},
	{"tls", "new TLS 1.3 connections per CPU-second, full and resumed, beside nginx", tlsBench, nil},
	{"download", "bytes of a blob per CPU-second: from disk, whole and in ranges, beside nginx's sendfile; from S3, by redirect and beside a bare copy", download, nil},
	{"growth", "poll, publish, vote and dashboard query from 10^3 to 10^7 handsets and 1 to 10^4 releases, with slopes", growth, nil},
	{"refresh", "a handset's cold and warm refresh: time and requests", refresh, nil},
	{"install", "a 512 MiB image from download to restart, and the client's memory", install, nil},
	{"apply", "an update by patch, by chunks and in full: speed, memory, bytes, requests, and what kill -9 costs", apply, nil},
	{"votes", "durable votes per CPU-second of the real server over HTTP, on SQLite and PostgreSQL; marks, restart, and what a token costs", votes, nil},
	{"lint", "`candor-signer lint` of 200 products with five releases each, from a directory and from a server", lintBench, nil},
	{"event", "a signing event amid 1,000 live releases: made, opened and shown by `candor-signer`; the list of a product with 50 of them, as a handset verifies it", eventBench, nil},
	{"overload", "how long polls wait (p50, p99) while votes, uploads and dashboards drown, beside an idle server", overload, nil},
	{"watch", "10,000 handsets that wait to be woken: memory of a stream, time to the last wake-up, polls after it", watchers, nil},
	{"delta", "what an update costs a handset: by patch, by chunks, in full; beside xdelta3, zstd and casync (bench delta OLD NEW: your own images)", delta, deltaOf},
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == bareCommand {
		exit(serveBare(os.Args[2]))
	}
	if len(os.Args) > 1 && os.Args[1] == copyCommand {
		exit(serveCopy(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == deltaCommand {
		exit(serveDelta(os.Args[2:]))
	}
	if len(os.Args) == 4 && os.Args[1] == watchCommand {
		exit(serveWatchLoad(os.Args[2], os.Args[3]))
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "print one JSON object")
	list := flags.Bool("list", false, "name the benches")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), "Usage: scripts/bench NAME [--json]\n       scripts/bench delta OLD NEW [--json]\n       scripts/bench --list\n\n")
		flags.PrintDefaults()
	}
	names, rest := split(os.Args[1:])
	switch err := flags.Parse(rest); {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		os.Exit(2)
	}
	if *list {
		for _, b := range benches {
			fmt.Printf("%-10s %s\n", b.name, b.what)
		}
		return
	}
	b, ok := chosen(names)
	if !ok {
		if len(names) > 0 {
			fmt.Fprintf(os.Stderr, "bench: no bench is called %q\n", strings.Join(names, " "))
		}
		flags.Usage()
		os.Exit(2)
	}
	exit(run(b, *asJSON))
}

// chosen gives the bench of that name; with two images, the one that takes them.
func chosen(names []string) (bench, bool) {
	i := slices.IndexFunc(benches, func(b bench) bool { return len(names) > 0 && b.name == names[0] })
	switch {
	case i < 0:
		return bench{}, false
	case len(names) == 3 && benches[i].runPair != nil:
		b := benches[i]
		b.run = func(ctx context.Context, dir string) ([]figure.Row, error) {
			return b.runPair(ctx, dir, fromCaller(names[1]), fromCaller(names[2]))
		}
		return b, true
	}
	return benches[i], len(names) == 1
}

// fromCaller finds a file that was named from where scripts/bench was started.
func fromCaller(path string) string {
	if from := os.Getenv("BENCH_FROM"); from != "" && !filepath.IsAbs(path) {
		return filepath.Join(from, path)
	}
	return path
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
	r := figure.Report{Name: b.name, Machine: figure.Machine(), Rows: rows}
	if asJSON {
		return r.JSON(os.Stdout)
	}
	fmt.Printf("%s: %s\n%s\n\n", b.name, b.what, r.Machine)
	return figure.Table(os.Stdout, rows)
}
