package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"
)

// options of the demo.
type options struct {
	handsets int
	bad      bool
	json     bool
	keep     bool
	wait     bool
	soak     time.Duration
	ledger   string
	blobs    string
}

func main() {
	o := options{}
	flag.IntVar(&o.handsets, "handsets", 0, "how many handsets (default 40; 100 with --bad-build, for a test needs votes)")
	flag.BoolVar(&o.bad, "bad-build", false, "roll out a build that fails its health check on a tenth of the handsets, and see it halted")
	flag.BoolVar(&o.json, "json", false, "print one JSON object at the end, and nothing else on standard output")
	flag.BoolVar(&o.keep, "keep", false, "for looking at it: print the address of the dashboard and tokens to sign in with once the server is up, and leave it up at the end")
	flag.BoolVar(&o.wait, "wait", false, "begin the rollout once somebody has signed in, or presses Enter (default with --keep in a terminal)")
	flag.DurationVar(&o.soak, "soak", 0, "how long each stage lasts at least (default 2s; 12s with --keep)")
	flag.StringVar(&o.ledger, "ledger", "sqlite", "where the server counts: sqlite, or postgres, of which the demo starts one")
	flag.StringVar(&o.blobs, "blobs", "disk", "where the server keeps images and metadata: disk, or s3, of which the demo starts one")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), "Usage: scripts/demo [flags]\n\nRuns Candor's main job once, for real, on this machine: two OS images, the ceremony, a\nsigned release, a staged rollout, and handsets that install it and report.\n\n")
		flag.PrintDefaults()
	}
	if len(os.Args) == 3 && os.Args[1] == "os-check" {
		if err := osCheck(context.Background(), os.Stdin, os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	o.complete()
	if flag.NArg() > 0 || o.handsets < 1 || o.handsets > 500 || !o.engines() {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, o)
	switch {
	case errors.Is(err, errInterrupted):
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(interruptedCode)
	case err != nil:
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// errInterrupted stands for all that fails because somebody ended the demo.
var errInterrupted = errors.New("interrupted; everything that it started is ended, and its files are gone")

// interruptedCode is what a shell makes of a program that SIGINT ended.
const interruptedCode = 130

// complete sets what the flags did not.
func (o *options) complete() {
	if o.handsets == 0 {
		o.handsets = 40
		if o.bad {
			o.handsets = 100
		}
	}
	if o.soak == 0 {
		o.soak = 2 * time.Second
		if o.keep {
			o.soak = 12 * time.Second // time to see a stage
		}
	}
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == "wait" })
	if !said {
		o.wait = o.keep && !o.json && term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd()))
	}
}

func run(ctx context.Context, o options) (err error) {
	began := time.Now()
	dir, err := os.MkdirTemp("", "candor-demo-")
	if err != nil {
		return err
	}
	d := &demo{options: o, dir: dir, say: newVoice(o.json)}
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = errInterrupted
		}
		err = errors.Join(err, d.close())
	}()
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"making two OS images from real files", d.makeImages},
		{"starting what the server stands on", d.startEngines},
		{"building the three programs, starting the server", d.start},
		{"", d.invite},
		{"the ceremony: three root holders, two engineers, thresholds of two", d.ceremony},
		{"building and signing the release", d.release},
		{"making the handsets", d.makeFleet},
		{"", d.await},
	} {
		if step.what != "" {
			d.say.step(step.what)
		}
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	if err := d.rollOut(ctx); err != nil {
		return err
	}
	s, err := d.summary(ctx, time.Since(began))
	if err != nil {
		return err
	}
	if err := d.say.result(s); err != nil {
		return err
	}
	if err := d.judge(s); err != nil {
		return err
	}
	if o.keep {
		d.say.line("\nThe server is still at %s (an admin's token is in %s). Press Ctrl-C to end and clean up.", d.Server, d.Path("token"))
		<-ctx.Done()
	}
	return nil
}
