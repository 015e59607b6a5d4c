package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/candor-ota/candor/signer/operate"
)

// usageError is a mistake in the command line, as opposed to a refusal.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func main() {
	if err := harden(); err != nil {
		fmt.Fprintln(os.Stderr, "candor-signer:", err)
		os.Exit(exitFailure)
	}
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	cmd := newCommand()
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	fmt.Fprintln(os.Stderr, "candor-signer:", clean(err.Error()))
	if refused := (*operate.Refusal)(nil); errors.As(err, &refused) && refused.Next() != "" {
		fmt.Fprintln(os.Stderr, "next:", refused.Next())
	}
	status := statusOf(err)
	if status == exitUsage {
		fmt.Fprintln(os.Stderr, "Try `candor-signer --help`.")
	}
	return status
}
