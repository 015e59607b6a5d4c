// Package world runs the whole of Candor on this machine, with the real
// programs: server, signer and handsets, each with a directory of its own,
// speaking over loopback. The demo, the benches and the tests of promises that
// no single program can keep stand on it.
//
// Everything lives below one directory and ends with Close; processes are
// ended by their ids.
package world

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/candor-ota/candor/manifests"
)

// World is a running system.
type World struct {
	Dir    string
	Server string // address for handsets and operators
	Admin  string // address for metrics and health
	Token  string // of an admin
	Second string // of an operator, another person
	// Engineers are the keys that sign releases, the builder's first; dora and
	// emil if there are none.
	Engineers []string

	server *exec.Cmd
	settle func(context.Context) error // nil: nobody has to follow
}

// Settle waits until every server serves what was published.
func (w *World) Settle(ctx context.Context) error {
	if w.settle == nil {
		return nil
	}
	return w.settle(ctx)
}

// New builds the programs, makes a data directory, adds to its configuration
// and starts the server. The module's root must be the working directory or
// above it.
func New(ctx context.Context, dir string, config ...string) (*World, error) {
	w := &World{Dir: dir}
	if err := Build(ctx, w.Path("bin")); err != nil {
		return nil, err
	}
	if err := w.init(ctx, config); err != nil {
		return nil, err
	}
	return w, w.StartServer(ctx)
}

// NewWith is New with programs that Build has built elsewhere.
func NewWith(ctx context.Context, bin, dir string, config ...string) (*World, error) {
	w := &World{Dir: dir}
	if err := os.Symlink(bin, w.Path("bin")); err != nil {
		return nil, err
	}
	if err := w.init(ctx, config); err != nil {
		return nil, err
	}
	return w, w.StartServer(ctx)
}

// Path gives a path below the world's directory.
func (w *World) Path(parts ...string) string {
	return filepath.Join(append([]string{w.Dir}, parts...)...)
}

// Root gives the module's root.
func Root() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}

// Build builds the three programs into a directory. Who builds them again finds
// them linked in Go's cache: that keeps what is run, not what is built.
func Build(ctx context.Context, bin string) error {
	root, err := Root()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(bin, 0o700); err != nil {
		return err
	}
	for _, name := range []string{"server", "signer", "client"} {
		cmd := exec.CommandContext(ctx, "go", "run", "-trimpath", "-ldflags=-s -w", "-exec", "cp", "./"+name, filepath.Join(bin, "candor-"+name))
		cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build ./%s: %w: %s", name, err, out)
		}
	}
	return nil
}

// Exec runs one of the programs in the world's directory and gives its
// standard output. What it says on standard error is shown only if it fails.
func (w *World) Exec(ctx context.Context, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, w.Path("bin", "candor-"+program), args...)
	cmd.Dir = w.Dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("candor-%s %s: %w: %s", program, strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return out.Bytes(), nil
}

func (w *World) init(ctx context.Context, config []string) error {
	if _, err := w.Exec(ctx, "server", "init", "--data", w.Path("data")); err != nil {
		return err
	}
	// Nobody here can wait two days until a new device key may vote, or an
	// hour until it is seen.
	texts := append([]string{"votes: {minKeyAge: 0s, showEvery: 0s}\n"}, config...)
	if err := w.reserve(); err != nil {
		return err
	}
	if all := strings.Join(texts, ""); !strings.Contains(all, "oidc:") && !strings.Contains(all, "origin:") {
		texts = append(texts, "origin: "+w.Server+"\n") // a token signs in to the dashboard
	}
	for _, text := range texts {
		if err := w.Configure(text); err != nil {
			return err
		}
	}
	if err := w.NewTokens(ctx); err != nil {
		return err
	}
	if _, err := w.Exec(ctx, "server", "batch", "new", "world", "--data", w.Path("data")); err != nil {
		return err
	}
	return os.WriteFile(w.Path("pass"), []byte("for tests and demos only: a passphrase in a file\n"), 0o600)
}

// NewTokens makes the tokens of the world's own people.
func (w *World) NewTokens(ctx context.Context) error {
	var err error
	if w.Token, err = w.NewToken(ctx, "world", "admin"); err != nil {
		return err
	}
	if w.Second, err = w.NewToken(ctx, "second", "operator"); err != nil {
		return err
	}
	return os.WriteFile(w.Path("token"), []byte(w.Token+"\n"), 0o600)
}

// NewToken makes an API token for a person.
func (w *World) NewToken(ctx context.Context, name, role string) (string, error) {
	token, err := w.Exec(ctx, "server", "token", "new", "--data", w.Path("data"), "--name", name, "--role", role)
	return strings.TrimSpace(string(token)), err
}

// Configure adds to the server's configuration; the server must be started anew.
func (w *World) Configure(text string) error {
	f, err := os.OpenFile(w.Path("data", "config.yaml"), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// freeAddress finds a port below those that systems give to connections that go
// out, so that none of these takes it before the server does, or while it is
// down for a moment.
func freeAddress() (string, error) {
	var last error
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.N(12_000)))
		if err == nil {
			return l.Addr().String(), l.Close()
		}
		last = err
	}
	return "", fmt.Errorf("no free port: %w", last)
}

// reserve finds addresses for a server that has none.
func (w *World) reserve() error {
	if w.Server != "" {
		return nil
	}
	listen, err := freeAddress()
	if err != nil {
		return err
	}
	admin, err := freeAddress()
	if err != nil {
		return err
	}
	w.Server, w.Admin = "http://"+listen, "http://"+admin
	return nil
}

// StartServer starts the server, again on the same address if it ran before,
// and waits until it is live.
func (w *World) StartServer(ctx context.Context) error {
	if err := w.SpawnServer(); err != nil {
		return err
	}
	return w.waitLive(ctx)
}

// SpawnServer is StartServer without the wait.
func (w *World) SpawnServer() error {
	if err := w.reserve(); err != nil {
		return err
	}
	log, err := os.OpenFile(w.Path("server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	w.server = exec.Command(w.Path("bin", "candor-server"), "run", "--data", w.Path("data"),
		"--listen", strings.TrimPrefix(w.Server, "http://"), "--admin", strings.TrimPrefix(w.Admin, "http://"))
	w.server.Stdout, w.server.Stderr = log, log
	w.server.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for whoever started the world
	return errors.Join(w.server.Start(), log.Close())
}

func (w *World) waitLive(ctx context.Context) error {
	for range 600 { // a minute: disks can be slow
		resp, err := http.Get(w.Admin + "/livez")
		if err == nil {
			return resp.Body.Close()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	log, err := os.ReadFile(w.Path("server.log"))
	return errors.Join(fmt.Errorf("the server does not answer; its log:\n%s", log), err)
}

// ServerID is the process id of the server.
func (w *World) ServerID() int { return w.server.Process.Pid }

// StopServer ends the server with a signal and waits for it.
func (w *World) StopServer(signal syscall.Signal) error {
	if w.server == nil {
		return nil
	}
	err := w.server.Process.Signal(signal)
	werr := w.server.Wait()
	w.server = nil
	if signal == syscall.SIGKILL {
		return err // that it did not end well is what was asked for
	}
	return errors.Join(err, werr)
}

// Close ends the server. The directory is the caller's.
func (w *World) Close() error { return w.StopServer(syscall.SIGTERM) }

// Call asks the operator API, as an admin. A refusal is an error that holds the
// problem.
func (w *World) Call(ctx context.Context, method, path string, body, into any) error {
	return w.CallAs(ctx, w.Token, method, path, body, into)
}

// CallAs is Call by whoever holds a token.
func (w *World) CallAs(ctx context.Context, token, method, path string, body, into any) error {
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, w.Server+path, r)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, data)
	}
	if raw, ok := into.(*[]byte); ok {
		*raw = data
		return nil
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(data, into)
}

// Counts are the votes on a build, as operators see them.
type Counts struct {
	Attempts, Trials, Healthy, RolledBack, Refusals, Refused int
}

// Counts asks for the votes on a build.
func (w *World) Counts(ctx context.Context, p manifests.Product, b manifests.Build) (Counts, error) {
	var c Counts
	return c, w.Call(ctx, http.MethodGet, fmt.Sprintf("/v1/products/%s/releases/%d/counts", p, b), nil, &c)
}
