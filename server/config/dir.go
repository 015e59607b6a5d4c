package config

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/store/disk"
	"github.com/candor-ota/candor/server/store/sqlite"
)

// Dir is the path of a data directory.
type Dir string

// The files of a data directory.
func (d Dir) Config() string     { return filepath.Join(string(d), "config.yaml") }
func (d Dir) Ledger() string     { return filepath.Join(string(d), "ledger.db") }
func (d Dir) Tree() string       { return filepath.Join(string(d), "tree") }
func (d Dir) Uploads() string    { return filepath.Join(string(d), "uploads") }
func (d Dir) Keys() string       { return filepath.Join(string(d), "keys") }
func (d Dir) VoteMaster() string { return filepath.Join(d.Keys(), "vote-master") }
func (d Dir) OnlineKeys() string { return filepath.Join(string(d), "online-keys.json") }
func (d Dir) Batches() string    { return filepath.Join(string(d), "batches") }
func (d Dir) lock() string       { return filepath.Join(string(d), "lock") }

// Batch is the file with the CA of a batch.
func (d Dir) Batch(name manifests.Name) string {
	return filepath.Join(d.Batches(), string(name)+".pem")
}

// ErrExists means that a data directory is there already.
var ErrExists = errors.New("is not empty; a data directory is made once and never over another")

// Create makes a data directory that does not exist yet, or is empty: keys,
// ledger, folders, config.yaml. It is made beside and then renamed, so a crash
// leaves no half of one.
func Create(ctx context.Context, d Dir) error {
	entries, err := os.ReadDir(string(d))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("init: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("init: %s %w", d, ErrExists)
	}
	parent := filepath.Dir(filepath.Clean(string(d)))
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	temp, err := os.MkdirTemp(parent, ".candor-init-")
	if err != nil {
		return fmt.Errorf("init: %w", err)
	}
	if err := fill(ctx, Dir(temp)); err != nil {
		return errors.Join(fmt.Errorf("init: %w", err), os.RemoveAll(temp))
	}
	if err := os.Rename(temp, string(d)); err != nil {
		return errors.Join(fmt.Errorf("init: %w", err), os.RemoveAll(temp))
	}
	return syncDir(parent)
}

func fill(ctx context.Context, d Dir) error {
	for _, dir := range []string{d.Keys(), d.Uploads(), d.Batches()} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
	}
	keys, err := publish.CreateKeys(d.Keys())
	if err != nil {
		return err
	}
	online, err := keys.Public()
	if err != nil {
		return err
	}
	var master vote.Master
	if _, err := rand.Read(master[:]); err != nil {
		return err
	}
	for name, data := range map[string][]byte{
		d.VoteMaster(): []byte(base64.StdEncoding.EncodeToString(master[:]) + "\n"),
		d.OnlineKeys(): online,
		d.Config():     fmt.Appendf(nil, template, DefaultListen, DefaultAdmin),
		d.lock():       nil,
	} {
		if err := WriteNew(name, data); err != nil {
			return err
		}
	}
	if err := disk.Create(d.Tree()); err != nil {
		return err
	}
	ledger, err := sqlite.Create(ctx, d.Ledger())
	if err != nil {
		return err
	}
	if err := ledger.Close(); err != nil {
		return err
	}
	return errors.Join(syncDir(d.Keys()), syncDir(string(d)))
}

// WriteNew writes a file of mode 0600 that must not exist yet, durably.
func WriteNew(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Load reads config.yaml.
func (d Dir) Load() (File, error) {
	data, err := os.ReadFile(d.Config())
	if errors.Is(err, fs.ErrNotExist) {
		return File{}, fmt.Errorf("%s is not a data directory (%w); make one with `candor-server init --data %s`", d, err, d)
	}
	if err != nil {
		return File{}, fmt.Errorf("config: %w", err)
	}
	f, err := Parse(data)
	if err != nil {
		return f, fmt.Errorf("%s: %w", d.Config(), err)
	}
	return f, nil
}

// LoadMaster reads the vote master.
func (d Dir) LoadMaster() (vote.Master, error) {
	var m vote.Master
	text, err := os.ReadFile(d.VoteMaster())
	if err != nil {
		return m, fmt.Errorf("vote master: %w", err)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(raw) != len(m) {
		return m, fmt.Errorf("vote master: %s does not hold 32 bytes in base64; restore it from the backup", d.VoteMaster())
	}
	copy(m[:], raw)
	return m, nil
}

// Lock keeps a second process from serving the directory, until the file is
// closed or the process ends.
func (d Dir) Lock() (*os.File, error) {
	f, err := os.OpenFile(d.lock(), os.O_RDWR|os.O_CREATE, 0o600) // containers make only what has something in it
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%s is served by another process; stop that one first (%w)", d, err), f.Close())
	}
	return f, nil
}
