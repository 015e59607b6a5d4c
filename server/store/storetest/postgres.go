package storetest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Postgres is a real PostgreSQL server in a folder of its own, on loopback,
// with passwords. It is Debian's package, started by hand.
type Postgres struct {
	Address  string // host:port
	User     string
	Password string
	Dir      string // of the cluster; its log is beside it
	settings []string
	cmd      *exec.Cmd
	done     chan error
	made     atomic.Int64
}

// StartPostgres starts a server that lives as long as the test. Settings are
// those of postgresql.conf, as name=value.
func StartPostgres(t testing.TB, settings ...string) *Postgres {
	t.Helper()
	p, err := RunPostgres(t.Context(), settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// Database makes an empty database and gives its URL, without the password.
func (p *Postgres) Database(t testing.TB) string {
	t.Helper()
	name, err := p.NewDatabase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p.URL(name)
}

// Copy makes a database that has what another one has, to which nobody may be
// connected, and gives its URL, without the password.
func (p *Postgres) Copy(t testing.TB, from string) string {
	t.Helper()
	name := p.nextName()
	if err := p.Do(t.Context(), "postgres", "CREATE DATABASE "+name+" TEMPLATE "+from); err != nil {
		t.Fatal(err)
	}
	return p.URL(name)
}

// RunPostgres makes a cluster and starts a server on it. PostgreSQL refuses to
// run as root; then it runs as another user.
func RunPostgres(ctx context.Context, settings ...string) (*Postgres, error) {
	dir, err := os.MkdirTemp("", "candor-postgres-")
	if err != nil {
		return nil, err
	}
	p := &Postgres{User: "candor", Password: "secret of the tests", Dir: filepath.Join(dir, "data"), settings: settings}
	if err := p.create(ctx, dir); err != nil {
		return nil, errors.Join(fmt.Errorf("make a PostgreSQL cluster: %w", err), os.RemoveAll(dir))
	}
	if err := p.Start(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return p, nil
}

func (p *Postgres) create(ctx context.Context, dir string) error {
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte(p.Password), 0o600); err != nil {
		return err
	}
	as, err := notRoot()
	if err != nil {
		return err
	}
	if as != nil {
		for _, name := range []string{dir, password} {
			if err := os.Chown(name, int(as.Uid), int(as.Gid)); err != nil {
				return err
			}
		}
	}
	initdb, err := p.command(ctx, "initdb", "-D", p.Dir, "-U", p.User, "--pwfile="+password, "--auth=scram-sha-256",
		"--encoding=UTF8", "--no-locale", "--no-sync")
	if err != nil {
		return err
	}
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// notRoot gives another user's credentials when this is root.
func notRoot() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return nil, fmt.Errorf("PostgreSQL refuses to run as root, and there is no other user: %w", err)
		}
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// command finds a program where Debian puts it, or on the path.
func (p *Postgres) command(ctx context.Context, name string, args ...string) (*exec.Cmd, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil {
		return nil, err
	}
	program := name
	if len(found) > 0 {
		program = slices.Max(found)
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = filepath.Dir(p.Dir)
	as, err := notRoot()
	if err != nil {
		return nil, err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as, Setpgid: true}
	return cmd, nil
}

// Start starts the server, also after Stop or Kill, at the same address.
func (p *Postgres) Start(ctx context.Context) error {
	if p.Address == "" {
		var err error
		if p.Address, err = freeAddress(); err != nil {
			return err
		}
	}
	host, port, err := net.SplitHostPort(p.Address)
	if err != nil {
		return err
	}
	args := []string{"-D", p.Dir, "-h", host, "-p", port, "-k", ""}
	for _, s := range p.settings {
		args = append(args, "-c", s)
	}
	if p.cmd, err = p.command(context.WithoutCancel(ctx), "postgres", args...); err != nil {
		return err
	}
	log, err := os.OpenFile(p.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	err = p.cmd.Start()
	if err := errors.Join(err, log.Close()); err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	done, cmd := make(chan error, 1), p.cmd
	p.done = done
	go func() { done <- cmd.Wait() }()
	return p.await(ctx)
}

func (p *Postgres) log() string { return filepath.Join(filepath.Dir(p.Dir), "log") }

// await waits until the server answers.
func (p *Postgres) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := p.Do(ctx, "postgres", "SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case ended := <-p.done:
			p.done <- ended
			text, read := os.ReadFile(p.log())
			return errors.Join(fmt.Errorf("PostgreSQL ended: %w\n%s", ended, text), read)
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL does not answer: %w", err)
		case <-tick.C:
		}
	}
}

// URL names a database, without the password.
func (p *Postgres) URL(database string) string {
	u := url.URL{Scheme: "postgres", User: url.User(p.User), Host: p.Address, Path: database, RawQuery: "sslmode=disable"}
	return u.String()
}

// Connect opens a connection to a database.
func (p *Postgres) Connect(ctx context.Context, database string) (*pgx.Conn, error) {
	c, err := pgx.ParseConfig(p.URL(database))
	if err != nil {
		return nil, err
	}
	c.Password = p.Password
	return pgx.ConnectConfig(ctx, c)
}

// Do runs statements in a database.
func (p *Postgres) Do(ctx context.Context, database string, statements ...string) error {
	conn, err := p.Connect(ctx, database)
	if err != nil {
		return err
	}
	for _, s := range statements {
		if _, err := conn.Exec(ctx, s); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", s, err), conn.Close(ctx))
		}
	}
	return conn.Close(ctx)
}

// NewDatabase makes an empty database and gives its name.
func (p *Postgres) NewDatabase(ctx context.Context) (string, error) {
	name := p.nextName()
	return name, p.Do(ctx, "postgres", "CREATE DATABASE "+name)
}

func (p *Postgres) nextName() string { return fmt.Sprintf("candor_%d", p.made.Add(1)) }

// Configure gives the lines of config.yaml that name a database; the password
// goes into a file.
func (p *Postgres) Configure(database, passwordFile string) (string, error) {
	text := fmt.Sprintf("ledger: {postgres: {url: %q, passwordFile: %q}}\n", p.URL(database), passwordFile)
	return text, os.WriteFile(passwordFile, []byte(p.Password+"\n"), 0o600)
}

// Stop ends the server as an administrator does who is in a hurry: what is
// under way is rolled back, connections are cut.
func (p *Postgres) Stop() error { return p.end(syscall.SIGINT) }

// Kill ends it as a crash would; the next start recovers.
func (p *Postgres) Kill() error { return p.end(syscall.SIGQUIT) }

func (p *Postgres) end(by syscall.Signal) error {
	if err := p.cmd.Process.Signal(by); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop PostgreSQL: %w", err)
	}
	if err := <-p.done; err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			return err
		}
	}
	p.done <- nil // ended; again is fine
	return nil
}

// Close ends the server and removes everything.
func (p *Postgres) Close() error {
	return errors.Join(p.Stop(), os.RemoveAll(filepath.Dir(p.Dir)))
}
