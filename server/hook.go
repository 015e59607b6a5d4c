package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/config"
	"github.com/candor-ota/candor/server/hooks"
	"github.com/candor-ota/candor/server/store"
)

func (a *app) hookCommand() *cobra.Command {
	group := &cobra.Command{Use: "hook", Short: "Webhooks of config.yaml"}
	group.AddCommand(a.hookList(), a.hookTest())
	return group
}

// configured reads the hooks of config.yaml.
func (a *app) configured() (config.File, error) {
	d, err := a.dir()
	if err != nil {
		return config.File{}, err
	}
	return d.Load()
}

// hookRow is how a hook is doing.
type hookRow struct {
	Name      string `json:"name"`
	Position  int64  `json:"position"` // in the audit log
	Lag       int64  `json:"lag"`      // entries that it has not been told
	Delivered int64  `json:"delivered"`
	Failures  int64  `json:"failures"`
	GaveUp    int64  `json:"gaveUp"`
	LastError string `json:"lastError,omitempty"`
	NextTry   string `json:"nextTry,omitempty"`
	Seen      bool   `json:"seen"` // a server has served it
}

func (a *app) hookList() *cobra.Command {
	return &cobra.Command{
		Use:   "list --data DIR",
		Short: "How far each hook has come in the audit log, and what holds it up",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := a.configured()
			if err != nil {
				return err
			}
			return a.withLedger(cmd.Context(), func(l store.Ledger) error {
				rows, err := hookRows(cmd.Context(), l, f.Webhooks)
				if err != nil {
					return err
				}
				return a.printHooks(rows)
			})
		},
	}
}

func hookRows(ctx context.Context, l store.Ledger, list []hooks.Config) ([]hookRow, error) {
	head, err := l.AuditHead(ctx)
	if err != nil {
		return nil, err
	}
	states, err := l.Hooks(ctx)
	if err != nil {
		return nil, err
	}
	rows := []hookRow{}
	for _, c := range list {
		row := hookRow{Name: string(c.Name)}
		for _, h := range states {
			if h.Name != row.Name {
				continue
			}
			row = hookRow{
				Name: h.Name, Position: h.Position, Lag: head.Seq - h.Position, Delivered: h.Delivered, Failures: h.Failures,
				GaveUp: h.GaveUp, LastError: h.LastError, Seen: true,
			}
			if !h.NextTry.IsZero() {
				row.NextTry = manifests.At(h.NextTry).String()
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (a *app) printHooks(rows []hookRow) error {
	if a.json {
		e := json.NewEncoder(a.out)
		e.SetIndent("", "  ")
		return e.Encode(map[string]any{"hooks": rows})
	}
	if len(rows) == 0 {
		return a.print(nil, "config.yaml names no webhooks")
	}
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tPOSITION\tLAG\tDELIVERED\tFAILURES\tGIVEN UP\tNEXT TRY\tLAST ERROR")
	for _, r := range rows {
		if !r.Seen {
			fmt.Fprintf(w, "%s\t-\t-\t-\t-\t-\t-\tno server has served it yet\n", r.Name)
			continue
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%s\t%s\n", r.Name, r.Position, r.Lag, r.Delivered, r.Failures, r.GaveUp, r.NextTry, r.LastError)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return a.print(nil, strings.TrimSuffix(text.String(), "\n"))
}

func (a *app) hookTest() *cobra.Command {
	return &cobra.Command{
		Use:   "test NAME --data DIR",
		Short: "Deliver an event hook.test, once and at once",
		Args:  exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := a.configured()
			if err != nil {
				return err
			}
			for _, c := range f.Webhooks {
				if string(c.Name) != args[0] {
					continue
				}
				began := time.Now()
				if err := hooks.Test(cmd.Context(), c, who(), a.now); err != nil {
					return err
				}
				took := time.Since(began).Round(time.Millisecond)
				return a.print(map[string]any{"hook": args[0], "milliseconds": took.Milliseconds()}, fmt.Sprintf("delivered to %s in %s", args[0], took))
			}
			return usageError{errors.New("config.yaml names no webhook " + args[0])}
		},
	}
}
