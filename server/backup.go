package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/candor-ota/candor/server/carry"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/store"
)

func (a *app) backupCommand() *cobra.Command {
	var out string
	var blobs bool
	cmd := &cobra.Command{
		Use:   "backup --data DIR -o FILE",
		Short: "Write ledger and published files into one file, while the server runs; keys are not in it",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return usagef("-o is needed: the file to write")
			}
			return a.backup(cmd.Context(), out, blobs)
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "file to write, which must not exist")
	cmd.Flags().BoolVar(&blobs, "blobs", false, "take the images along, too")
	return cmd
}

func (a *app) backup(ctx context.Context, out string, blobs bool) error {
	d, err := a.dir()
	if err != nil {
		return err
	}
	f, err := d.Load()
	if err != nil {
		return err
	}
	tree, err := d.OpenPublished(ctx, f)
	if err != nil {
		return err
	}
	err = a.withLedger(ctx, func(l store.Ledger) error {
		source := carry.Source{Blobs: tree, Now: a.now}
		if blobs {
			source.Images = tree
		}
		var ok bool
		if source.Ledger, ok = l.(carry.Ledger); !ok {
			return errors.New("this ledger cannot be carried")
		}
		saved, err := carry.BackupFile(ctx, source, out)
		if err != nil {
			return err
		}
		var rows int64
		for _, c := range saved.Tables {
			rows += c.Rows
		}
		return a.print(saved, fmt.Sprintf("wrote %s: %d rows, %d files of %d bytes, audit log up to %s\nkeep keys/ and batches/ elsewhere: they are not in it",
			out, rows, saved.Objects, saved.Bytes, saved.Audit))
	})
	return errors.Join(err, tree.Close())
}

func (a *app) restoreCommand() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "restore FILE --to DIR|CONFIG",
		Short: "Read a backup into an empty ledger; its data directory has the saved keys",
		Args:  exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := parsePlace("--to", to)
			if err != nil {
				return err
			}
			return a.restore(cmd.Context(), args[0], p)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "data directory or configuration that will be served")
	return cmd
}

func (a *app) restore(ctx context.Context, file string, to place) (err error) {
	unlock, err := lockAll(to.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	keys, err := publish.LoadKeys(to.dir.Keys())
	if err != nil {
		return err
	}
	from, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	stores, err := to.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stores.Close()) }()
	done, err := carry.Restore(ctx, from, carry.Target{Ledger: stores.ledger, Blobs: stores.blobs, Keys: keys, Now: a.now(), Who: who()})
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return a.print(done, restoredText(done))
}

// restoredText says what is there, and what a person must do now.
func restoredText(r carry.Restored) string {
	var b strings.Builder
	say := func(when bool, format string, args ...any) {
		if when {
			fmt.Fprintf(&b, format+"\n", args...)
		}
	}
	say(true, "restored the backup of %s: %d rows, %d files; the audit log goes on at %s", r.Made, r.Rows, r.Objects, r.Audit)
	say(r.Adopted, "the store holds what was published since; publishing goes on from there")
	say(!r.Adopted, "version numbers jump, past what handsets may have seen; have engineers publish again what they signed since the backup")
	say(len(r.Halted) > 0, "halted since the backup, and halted now: %s", strings.Join(r.Halted, ", "))
	say(len(r.Held) > 0, "held until somebody resumes or starts them: %s", strings.Join(r.Held, ", "))
	say(len(r.Spare) > 0, "%v count under their spare vote keys, from nothing, and handsets vote again once the engineers have signed it: for each, `candor-signer votes spare PRODUCT BUILD`", r.Spare)
	say(len(r.Closed) > 0, "%v had no unused vote keys left; their votes are closed", r.Closed)
	say(r.Revoked > 0, "%d API tokens were revoked, as some may have been since; make new ones", r.Revoked)
	say(len(r.Missing) > 0, "%d images are missing; copy them from a mirror or a backup with --blobs: %s", len(r.Missing), strings.Join(r.Missing, " "))
	say(true, "nobody is enrolled: handsets that still agree enrol again by themselves; revoke again the batches that were revoked since")
	return strings.TrimSuffix(b.String(), "\n")
}
