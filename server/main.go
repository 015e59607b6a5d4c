package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/candor-ota/candor/server/config"
	"github.com/candor-ota/candor/server/observe"
)

func main() { os.Exit(execute()) }

func execute() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{out: os.Stdout, err: os.Stderr, now: time.Now}
	err := a.command().ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "candor-server:", err)
	return codeOf(err)
}

// codeOf is how the program ends with an error.
func codeOf(err error) int {
	var exit exitError
	if errors.As(err, &exit) {
		return exit.code
	}
	var usage usageError
	if errors.As(err, &usage) {
		return 2
	}
	return 1
}

// usageError is a wrong command line.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// app is what the commands share.
type app struct {
	out, err io.Writer
	now      func() time.Time
	data     string
	json     bool
	patience time.Duration // of an end, for tests; 0: shutdownTime
}

func (a *app) dir() (config.Dir, error) {
	if a.data == "" {
		return "", usagef("--data is needed: the data directory")
	}
	return config.Dir(a.data), nil
}

func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:           "candor-server",
		Short:         "Publish signed firmware releases in stages",
		Version:       observe.Program(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().StringVar(&a.data, "data", os.Getenv("CANDOR_DATA"), "data directory (or CANDOR_DATA)")
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print results as JSON")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(a.initCommand(), a.runCommand(), a.tokenCommand(), a.batchCommand(), a.voteKeysCommand(),
		a.auditCommand(), a.hookCommand(), a.migrateCommand(), a.backupCommand(), a.restoreCommand(), a.doctorCommand(), a.healthyCommand())
	root.AddCommand(a.mirrorCommand(), a.keysCommand())
	known(root)
	return root
}

// known makes an error of the name of a command that there is not. cobra shows
// help instead, and ends as if all had been done: a script that checks the audit
// log by a mistyped command would find it in order for ever.
func known(c *cobra.Command) {
	if !c.HasSubCommands() {
		return
	}
	for _, sub := range c.Commands() {
		known(sub)
	}
	c.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usagef("%s has no command %q; see `%s --help`", cmd.CommandPath(), args[0], cmd.CommandPath())
		}
		return nil
	}
	c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

// print shows a result: v as JSON, or text for people.
func (a *app) print(v any, text string) error {
	if !a.json {
		_, err := fmt.Fprintln(a.out, text)
		return err
	}
	e := json.NewEncoder(a.out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// exactly is cobra.ExactArgs with our kind of error.
func exactly(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usagef("%s takes %d arguments: %s", cmd.CommandPath(), n, cmd.UseLine())
		}
		return nil
	}
}
