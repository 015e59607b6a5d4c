// Command fleet plays rollouts on a fleet that does not exist: seeded, on
// virtual time, with the product's own decisions and its own engine (package
// sim says what is modelled). It is how the defaults of guards and plans were
// chosen, and how a plan of one's own can be tried before anybody signs it.
//
//	go run ./scripts/fleet                     what there is
//	go run ./scripts/fleet simulate            required figures, grid and tokens
//	go run ./scripts/fleet simulate --json     the same as one JSON object
//	go run ./scripts/fleet simulate --quick    fewer seeds, to see that it works
//	go run ./scripts/fleet simulate --plan rollout.yaml --fail 3,5 --brick 0
//
// It also loads a real server with light handsets over HTTP (package load):
//
//	go run ./scripts/fleet load                a server of its own, on this machine
//	go run ./scripts/fleet load --rate 2000 --handsets 20000 --opt-in 100 --json
//
// Exit codes: 0 it ran, whatever the figures say; 1 it could not; 2 the command
// line is wrong.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/candor-ota/candor/scripts/figure"
)

const usage = `Usage: go run ./scripts/fleet COMMAND

Commands:
  simulate   plays rollouts on a fleet on virtual time: when bad builds halt, how
             much of the fleet has them by then, and how often good ones halt
             (simulate --help lists its flags)
  load       drives a real server over HTTP with light handsets that poll, decide,
             ask for tokens and vote: latencies, errors, and whether every vote that
             was acknowledged was counted (load --help lists its flags)
`

func main() {
	if len(os.Args) < 2 || os.Args[1] == "help" || os.Args[1] == "--help" || os.Args[1] == "-h" {
		fmt.Print(usage)
		return
	}
	run, ok := commands[os.Args[1]]
	if !ok {
		fmt.Fprintf(os.Stderr, "fleet: there is no command %q\n\n%s", os.Args[1], usage)
		os.Exit(2)
	}
	err := run(os.Args[2:])
	var wrong *usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return
	case errors.As(err, &wrong):
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(2)
	}
	fmt.Fprintln(os.Stderr, "fleet:", err)
	os.Exit(1)
}

var commands = map[string]func(args []string) error{
	"simulate": func(args []string) error {
		o, err := parse(args)
		if err != nil {
			return &usageError{err}
		}
		return simulate(o)
	},
	"load": func(args []string) error {
		o, err := parseLoad(args)
		if err != nil {
			return &usageError{err}
		}
		return o.run()
	},
}

// usageError is a command line that makes no sense.
type usageError struct{ err error }

func (u *usageError) Error() string { return u.err.Error() }
func (u *usageError) Unwrap() error { return u.err }

// simulate plays what was asked for, and prints it.
func simulate(o *options) error {
	p := &player{options: o, say: func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "fleet: "+format+"\n", args...)
	}}
	p.fleet = newFleet(o.handsets)
	debug.SetGCPercent(400) // what decisions leave behind is small and soon gone
	var must []figure.Row
	var err error
	if !o.gridOnly {
		if must, err = p.required(); err != nil {
			return err
		}
	}
	cells, err := p.grid()
	if err != nil {
		return err
	}
	tokens := p.tokens()
	if o.asJSON {
		r := figure.Report{Name: "fleet", Machine: figure.Machine(), Rows: must}
		for i := range cells {
			r.Rows = append(r.Rows, cells[i].rows()...)
		}
		r.Rows = append(r.Rows, tokens...)
		return r.JSON(os.Stdout)
	}
	return show(os.Stdout, o, must, cells, tokens)
}
