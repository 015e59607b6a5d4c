package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/config"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/store"
)

func (a *app) keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Make new online keys, and see which are in use",
		Long: `Make new online keys, and see which are in use. A server signs rollouts,
snapshot and timestamp with the set of keys that the newest root names:

  candor-server keys new --data DIR            a set beside the one in use
  candor-signer root rotate-online --online …  root holders name it, all three at once
  candor-server keys remove 1 --data DIR       afterwards: the old set

New keys sign nothing until a root that names them is published, and everything
from that moment on. The server goes on running meanwhile. With several servers,
copy keys/ to every one of them before the root is submitted.`,
	}
	cmd.AddCommand(a.keysNewCommand(), a.keysListCommand(), a.keysExportCommand(), a.keysRemoveCommand())
	return cmd
}

// keySet is a set as it is printed.
type keySet struct {
	Set    int               `json:"set"`
	State  string            `json:"state"`            // "in use", "waiting", "old" or "unpublished"
	Public string            `json:"public,omitempty"` // file for the signers
	Keys   map[string]string `json:"keys"`             // role to key id
}

func (k keySet) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "set %d: %s", k.Set, k.State)
	for _, role := range []string{"rollouts", "snapshot", "timestamp"} {
		fmt.Fprintf(&b, "\n  %-9s %s", role, wordsOf(k.Keys[role]))
	}
	return b.String()
}

func wordsOf(id string) string {
	h, err := manifests.ParseSHA256(id)
	if err != nil {
		return id
	}
	return h.Words()
}

func describeSet(s publish.Set, state string) (keySet, error) {
	out := keySet{Set: s.Number, State: state, Keys: map[string]string{}}
	if _, err := os.Stat(s.Public()); err == nil {
		out.Public = s.Public()
	}
	for _, role := range []string{"rollouts", "snapshot", "timestamp"} {
		id, err := s.Keys.ID(role)
		if err != nil {
			return out, err
		}
		out.Keys[role] = id
	}
	return out, nil
}

func (a *app) keysNewCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "new --data DIR",
		Short: "Make a set of online keys beside those in use",
		Args:  exactly(0),
		RunE: func(*cobra.Command, []string) error {
			d, err := a.dir()
			if err != nil {
				return err
			}
			s, err := publish.CreateSet(d.Keys())
			if err != nil {
				return err
			}
			made, err := describeSet(s, "waiting")
			if err != nil {
				return err
			}
			return a.print(made, made.text()+"\nread these words to the root holders, and send them "+s.Public()+
				"\nnext: candor-signer root rotate-online --online "+s.Public())
		},
	}
}

func (a *app) keysListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list --data DIR",
		Short: "List the sets of online keys, and say which is in use",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			sets, use, err := a.sets(cmd)
			if err != nil {
				return err
			}
			out, lines := []keySet{}, []string{}
			for i, s := range sets {
				one, err := describeSet(s, stateOf(i, use))
				if err != nil {
					return err
				}
				out, lines = append(out, one), append(lines, one.text())
			}
			return a.print(map[string]any{"sets": out}, strings.Join(lines, "\n"))
		},
	}
}

func stateOf(i, use int) string {
	switch {
	case use < 0:
		return "unpublished"
	case i < use:
		return "old"
	case i > use:
		return "waiting"
	}
	return "in use"
}

// sets gives the sets of a data directory and the place of the one in use; -1
// where nothing is published, or by other keys.
func (a *app) sets(cmd *cobra.Command) ([]publish.Set, int, error) {
	d, err := a.dir()
	if err != nil {
		return nil, 0, err
	}
	sets, err := publish.Sets(d.Keys())
	if err != nil {
		return nil, 0, err
	}
	listed, err := a.inForce(cmd, d)
	if err != nil {
		return nil, 0, err
	}
	for i, s := range sets {
		if s.Keys.Fit(listed) {
			return sets, i, nil
		}
	}
	return sets, -1, nil
}

// inForce reads what the published root lists, also while the server runs.
func (a *app) inForce(cmd *cobra.Command, d config.Dir) (listed publish.Listed, err error) {
	f, err := d.Load()
	if err != nil {
		return nil, err
	}
	blobs, err := d.OpenPublished(cmd.Context(), f)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, blobs.Close()) }()
	err = a.withLedger(cmd.Context(), func(l store.Ledger) error {
		listed, err = publish.InForce(cmd.Context(), l, blobs)
		return err
	})
	return listed, err
}

func (a *app) keysExportCommand() *cobra.Command {
	var number int
	cmd := &cobra.Command{
		Use:   "export --data DIR [--set N]",
		Short: "Print the public keys of a set, for root holders to sign",
		Args:  exactly(0),
		RunE: func(*cobra.Command, []string) error {
			d, err := a.dir()
			if err != nil {
				return err
			}
			sets, err := publish.Sets(d.Keys())
			if err != nil {
				return err
			}
			for _, s := range sets {
				if s.Number == number || number == 0 && s.Number == sets[len(sets)-1].Number {
					public, err := s.Keys.Public()
					if err != nil {
						return err
					}
					_, err = a.out.Write(public)
					return err
				}
			}
			return fmt.Errorf("there is no set %d in %s; `keys list` shows what there is", number, d.Keys())
		},
	}
	cmd.Flags().IntVar(&number, "set", 0, "number of the set (default: the newest)")
	return cmd
}

func (a *app) keysRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "remove N --data DIR",
		Short: "Delete a set of online keys that is no longer used, or was never",
		Args:  exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			sets, use, err := a.sets(cmd)
			if err != nil {
				return err
			}
			for i, s := range sets {
				if fmt.Sprint(s.Number) != args[0] {
					continue
				}
				if use < 0 || i == use {
					return fmt.Errorf("set %d is %s; only a set that is old or waits can be removed", s.Number, stateOf(i, use))
				}
				if err := s.Remove(); err != nil {
					return err
				}
				return a.print(map[string]int{"removed": s.Number}, fmt.Sprintf("removed set %d; remove its copies in backups as well", s.Number))
			}
			return fmt.Errorf("there is no set %s; `keys list` shows what there is", args[0])
		},
	}
}
