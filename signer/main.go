package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/candor-ota/candor/signer/cli"
	"github.com/candor-ota/candor/signer/operate"
)

func main() {
	if err := harden(); err != nil {
		fmt.Fprintln(os.Stderr, "candor-signer:", err)
		os.Exit(cli.Failure)
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
		return cli.Done
	}
	fmt.Fprintln(os.Stderr, "candor-signer:", cli.Clean(err.Error()))
	if refused := (*operate.Refusal)(nil); errors.As(err, &refused) && refused.Next() != "" {
		fmt.Fprintln(os.Stderr, "next:", refused.Next())
	}
	status := cli.StatusOf(err)
	if status == cli.Usage {
		fmt.Fprintln(os.Stderr, "Try `candor-signer --help`.")
	}
	return status
}
