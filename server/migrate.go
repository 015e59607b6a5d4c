package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/candor-ota/candor/server/carry"
	"github.com/candor-ota/candor/server/config"
)

// place is where an installation keeps what it keeps: a data directory and a
// configuration, which need not be the one that it runs with.
type place struct {
	dir  config.Dir
	file config.File
}

// parsePlace reads a data directory, or a configuration file that lies in one.
func parsePlace(flag, path string) (place, error) {
	if path == "" {
		return place{}, usagef("%s is needed: a data directory, or a configuration file in one", flag)
	}
	st, err := os.Stat(path)
	if err != nil {
		return place{}, fmt.Errorf("%s: %w", flag, err)
	}
	if st.IsDir() {
		d := config.Dir(path)
		f, err := d.Load()
		return place{d, f}, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return place{}, fmt.Errorf("%s: %w", flag, err)
	}
	f, err := config.Parse(data)
	if err != nil {
		return place{}, fmt.Errorf("%s: %w", path, err)
	}
	return place{config.Dir(filepath.Dir(path)), f}, nil
}

// opened are the stores of a place.
type opened struct {
	ledger carry.Ledger
	blobs  config.Blobs
	closer []io.Closer
}

func (o *opened) Close() error {
	var errs []error
	for _, c := range o.closer {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// openLedger opens the ledger of a place.
func (o *opened) openLedger(ctx context.Context, p place) error {
	l, err := p.dir.OpenLedger(ctx, p.file)
	if err != nil {
		return err
	}
	o.closer = append(o.closer, l)
	var ok bool
	if o.ledger, ok = l.(carry.Ledger); !ok {
		return fmt.Errorf("the ledger of %s cannot be carried", p.dir)
	}
	return nil
}

// open opens the ledger and the store of blobs of a place.
func (p place) open(ctx context.Context) (_ *opened, err error) {
	o := &opened{}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.Close())
		}
	}()
	if err := o.openLedger(ctx, p); err != nil {
		return nil, err
	}
	if o.blobs, err = p.dir.OpenBlobs(ctx, p.file); err != nil {
		return nil, err
	}
	o.closer = append(o.closer, o.blobs)
	return o, nil
}

// sameLedger tells whether two places keep their ledger in the same spot.
func (p place) sameLedger(q place) bool {
	a, b := p.file.Ledger.Postgres, q.file.Ledger.Postgres
	if a == nil && b == nil {
		return samePath(p.dir.Ledger(), q.dir.Ledger())
	}
	return a != nil && b != nil && a.URL == b.URL
}

// sameBlobs tells the same of what is published.
func (p place) sameBlobs(q place) bool {
	a, b := p.file.S3, q.file.S3
	if a == nil && b == nil {
		return samePath(p.dir.Tree(), q.dir.Tree())
	}
	return a != nil && b != nil && a.Endpoint == b.Endpoint && a.Bucket == b.Bucket && a.Prefix == b.Prefix
}

func samePath(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

func (a *app) migrateCommand() *cobra.Command {
	var from, to string
	var again bool
	cmd := &cobra.Command{
		Use:   "migrate-store --from DIR|CONFIG --to DIR|CONFIG",
		Short: "Carry an installation to other stores: ledger and published tree, verified; its server is stopped",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			source, err := parsePlace("--from", from)
			if err != nil {
				return err
			}
			target, err := parsePlace("--to", to)
			if err != nil {
				return err
			}
			return a.migrate(cmd.Context(), source, target, again)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "data directory or configuration that is served until now")
	cmd.Flags().StringVar(&to, "to", "", "data directory or configuration that will be served")
	cmd.Flags().BoolVar(&again, "again", false, "begin anew what a move into the target's ledger began")
	return cmd
}

// migration is what a move came to.
type migration struct {
	Ledger *carry.Moved   `json:"ledger,omitempty"` // absent: stays where it is
	Blobs  *carry.Objects `json:"blobs,omitempty"`
}

func (a *app) migrate(ctx context.Context, from, to place, again bool) (err error) {
	if from.sameLedger(to) && from.sameBlobs(to) {
		return usagef("--from and --to keep everything in the same stores; there is nothing to move")
	}
	unlock, err := lockAll(from.dir, to.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := sameSecrets(from.dir, to.dir); err != nil {
		return err
	}
	done, err := a.carryAll(ctx, from, to, again)
	if err != nil {
		return err
	}
	return a.printMigration(done)
}

// lockAll keeps servers out of data directories, which may be one.
func lockAll(dirs ...config.Dir) (unlock func() error, err error) {
	var locks []io.Closer
	unlock = func() error {
		var errs []error
		for _, l := range locks {
			errs = append(errs, l.Close())
		}
		return errors.Join(errs...)
	}
	for i, d := range dirs {
		if i > 0 && samePath(string(d), string(dirs[0])) {
			continue
		}
		l, err := d.Lock()
		if err != nil {
			return nil, errors.Join(err, unlock())
		}
		locks = append(locks, l)
	}
	return unlock, nil
}

// sameSecrets refuses a target that handsets would not know: keys are moved by
// hand, and not through this program. Whatever the source has, the target must
// have: every set of online keys, the vote master, the CA of every batch.
func sameSecrets(a, b config.Dir) error {
	if samePath(string(a), string(b)) {
		return nil
	}
	source, target := os.DirFS(string(a)), os.DirFS(string(b))
	for _, folder := range []string{filepath.Base(a.Keys()), filepath.Base(a.Batches())} {
		err := fs.WalkDir(source, folder, func(name string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			x, err := fs.ReadFile(source, name)
			if err != nil {
				return err
			}
			y, err := fs.ReadFile(target, name)
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%s has no %s, which %s has; copy keys/ and batches/ there first, or handsets will not know the server", b, name, a)
			}
			if err == nil && string(x) != string(y) {
				err = fmt.Errorf("%s has another %s than %s; copy keys/ and batches/ there first, or handsets will not know the server", b, name, a)
			}
			return err
		})
		if err != nil && (folder == filepath.Base(a.Keys()) || !errors.Is(err, fs.ErrNotExist)) {
			return fmt.Errorf("keys: %w", err)
		}
	}
	return nil
}

func (a *app) carryAll(ctx context.Context, from, to place, again bool) (done migration, err error) {
	source, err := from.open(ctx)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	// A folder is opened by one only, so what stays is opened once.
	target := &opened{ledger: source.ledger, blobs: source.blobs}
	defer func() { err = errors.Join(err, target.Close()) }()
	movesLedger, movesBlobs := !from.sameLedger(to), !from.sameBlobs(to)
	// All that may be wrong is looked for before hours are spent on objects.
	if movesLedger {
		if err := target.openLedger(ctx, to); err != nil {
			return done, err
		}
		if err := carry.Fits(ctx, source.ledger, target.ledger); err != nil {
			return done, err
		}
	}
	if movesBlobs {
		if target.blobs, err = to.dir.OpenBlobs(ctx, to.file); err != nil {
			return done, err
		}
		target.closer = append(target.closer, target.blobs)
		o, err := carry.MoveBlobs(ctx, source.blobs, target.blobs, func(string) {})
		if err != nil {
			return done, err
		}
		done.Blobs = &o
	}
	if movesLedger {
		m, err := carry.MoveLedger(ctx, source.ledger, target.ledger, again, func(carry.Count) {})
		if err != nil {
			return done, err
		}
		done.Ledger = &m
	}
	return done, nil
}

func (a *app) printMigration(done migration) error {
	if a.json {
		return a.print(done, "")
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	if m := done.Ledger; m != nil {
		for _, c := range m.Tables {
			fmt.Fprintf(w, "%d\t %s\t%s\t\n", c.Rows, c.Table, c.SHA256.Short())
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if m := done.Ledger; m != nil {
		if _, err := fmt.Fprintf(a.out, "ledger: %d rows, each compared; the audit log is one chain up to %s\n", m.Rows, m.Audit); err != nil {
			return err
		}
	}
	if o := done.Blobs; o != nil {
		if _, err := fmt.Fprintf(a.out, "tree: %d objects, %d bytes, each read back and compared\n", o.Objects, o.Bytes); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(a.out, "now start the server with the target's configuration; the source is as it was, and must not be served again")
	return err
}
