package cli

import "github.com/spf13/cobra"

// Group is a command that only holds others.
func Group(use, short string, subs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(subs...)
	return cmd
}

// AsUsage marks errors of flags and argument counts as wrong use, in a command
// and all below it.
func AsUsage(cmd *cobra.Command) {
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return Wrong(err) })
	if check := cmd.Args; check != nil {
		cmd.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return Wrong(err)
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		AsUsage(sub)
	}
}
