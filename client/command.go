package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/client/handset"
)

// options are the flags that every command shares.
type options struct {
	config  string
	json    bool
	verbose bool
}

func newCommand() *cobra.Command {
	o := &options{}
	root := &cobra.Command{
		Use:           "candor-client",
		Short:         "The handset agent: polls, decides, installs, proves, and reports only if asked to",
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	f := root.PersistentFlags()
	f.StringVar(&o.config, "config", "/etc/candor/client.yaml", "configuration file")
	f.BoolVar(&o.json, "json", false, "print the result as one JSON object")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "log to standard error what is done")
	root.AddCommand(runCommand(o), onceCommand(o), statusCommand(o), doctorCommand(o), watchCommand(o), installCommand(o), receiptsCommand(o), consentCommand(o), labCommand(o), createCommand(o), tufCommand())
	root.AddCommand(ownerCommands(o)...)
	known(root)
	return root
}

// known makes an error of the name of a command that there is not. cobra shows
// help instead, and ends as if all had been done: an owner who types "consent of"
// would believe that reports are off.
func known(c *cobra.Command) {
	if !c.HasSubCommands() {
		return
	}
	for _, sub := range c.Commands() {
		known(sub)
	}
	c.SuggestionsMinimumDistance = 2
	c.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		hint := fmt.Sprintf("see `%s --help`", cmd.CommandPath())
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			hint = "did you mean " + strings.Join(near, " or ") + "?"
		}
		return fmt.Errorf("nothing was done: %s has no command %q; %s", cmd.CommandPath(), args[0], hint)
	}
	c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

// version is what Go knows of the sources that this program was built from.
func version() string {
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" {
		return b.Main.Version
	}
	return "unknown"
}

func (o *options) log(w io.Writer) *slog.Logger {
	level := slog.LevelWarn
	if o.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

// with opens the handset for one command and closes it after.
func (o *options) with(cmd *cobra.Command, do func(*handset.Handset) error) error {
	config, err := agent.LoadConfig(o.config)
	if err != nil {
		return err
	}
	return o.open(cmd, config, do)
}

func (o *options) open(cmd *cobra.Command, config *agent.Config, do func(*handset.Handset) error) error {
	h, err := handset.Open(config, o.log(cmd.ErrOrStderr()))
	if err != nil {
		return err
	}
	err = do(h)
	if cerr := h.Close(); err == nil {
		err = cerr
	}
	return err
}

// print shows a result in words, or as JSON.
func (o *options) print(cmd *cobra.Command, v any, words string) error {
	if !o.json {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), words)
		return err
	}
	return json.NewEncoder(cmd.OutOrStdout()).Encode(v)
}
