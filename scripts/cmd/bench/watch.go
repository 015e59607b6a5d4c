package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/scripts/figure"
	"github.com/candor-ota/candor/scripts/world"
)

const (
	watchStreams = 10_000
	// watchFirst are opened and measured before the rest: what a server keeps
	// spare is then on both sides, and the difference is what streams take.
	watchFirst  = 2_000
	watchSpread = 30 * time.Second
	watchSettle = 10 * time.Second // until streams are only idle
	watchWakes  = 5
)

// watchers holds idle streams at the real server, from another process, and
// moves a rollout under them.
func watchers(ctx context.Context, dir string) (rows []figure.Row, err error) {
	w, id, err := watchedWorld(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	plain := &watchBench{World: w, rollout: id, client: &http.Client{}, scheme: "http"}
	if rows, err = plain.measure(ctx, 4); err != nil {
		return nil, err
	}
	secure, err := plain.overTLS(ctx)
	if err != nil {
		return nil, err
	}
	more, err := secure.measure(ctx, 40)
	return append(rows, more...), err
}

// watchedWorld has a rollout that is open to all, with a spread.
func watchedWorld(ctx context.Context, dir string) (w *world.World, id string, err error) {
	if w, err = world.New(ctx, dir); err != nil {
		return nil, "", err
	}
	open := func() error {
		image := w.Path("image")
		if err := os.WriteFile(image, make([]byte, 1<<20), 0o600); err != nil {
			return err
		}
		if err := w.Ceremony(ctx, phoneProduct); err != nil {
			return err
		}
		manifest, err := world.Example(phoneProduct, 42, "pace:\n  - {after: 0s, maxSharePPM: 1000000}\n")
		if err != nil {
			return err
		}
		if err := w.Release(ctx, phoneProduct, 42, manifest, image); err != nil {
			return err
		}
		r, err := w.Open(ctx, &rollout.Plan{
			Product: phoneProduct, Build: 42, Channel: "stable", Kind: manifests.KindNormal, Spread: manifests.Duration{Duration: watchSpread},
			Deferral: manifests.Duration{Duration: 7 * 24 * time.Hour}, Stages: []rollout.Stage{{Share: manifests.WholeFleet}},
		})
		id = r.ID
		return err
	}
	if err := open(); err != nil {
		return nil, "", errors.Join(err, w.Close())
	}
	return w, id, nil
}

// watchBench is a server with a way to speak to it.
type watchBench struct {
	*world.World
	rollout string
	client  *http.Client
	scheme  string
	moves   int    // of the rollout so far
	ca      string // PEM file of the server's certificate; none without TLS
}

func (b *watchBench) address() string { return strings.TrimPrefix(b.Server, "http://") }

// measure gives the memory of a stream, beside its target in KiB, the time to
// wake all of them, and the polls that follow.
func (b *watchBench) measure(ctx context.Context, target float64) (rows []figure.Row, err error) {
	load, err := b.load(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, load.end()) }()
	first, before, err := b.settled(ctx, load)
	if err != nil {
		return nil, err
	}
	if _, err := load.more.Write([]byte("\n")); err != nil {
		return nil, err
	}
	opened, after, err := b.settled(ctx, load)
	if err != nil {
		return nil, err
	}
	var slowest time.Duration
	for range watchWakes {
		took, err := b.wake(ctx, load, []string{"pause", "resume"}[b.moves%2])
		b.moves++
		if err != nil {
			return nil, err
		}
		slowest = max(slowest, took)
	}
	polls, err := load.next("polls")
	if err != nil {
		return nil, err
	}
	name := func(what string) string { return what + map[string]string{"http": "", "https": ", TLS"}[b.scheme] }
	return []figure.Row{
		figure.AtLeast(name("idle streams in one process"), opened, "streams", watchStreams),
		figure.AtMost(name("memory of the server (RSS) for each"), float64(after-before)/(opened-first)/1024, "KiB", target),
		figure.AtMost(name(fmt.Sprintf("from asking for the change to the last wake-up, worst of %d", watchWakes)), slowest.Seconds(), "s", 2),
		figure.Of(name(fmt.Sprintf("polls a second after it, mean over the spread of %s", watchSpread)), polls[0], "polls/s"),
		figure.AtMost(name("the busiest of these seconds"), polls[1]/polls[0], "x mean", 1.5),
		figure.AtLeast(name("answered"), polls[2], "polls", opened),
	}, nil
}

// settled gives how many streams are open, and what the server then has in
// memory.
func (b *watchBench) settled(ctx context.Context, load *watchLoad) (streams float64, resident int64, err error) {
	opened, err := load.next("open")
	if err != nil {
		return 0, 0, err
	}
	if err := pause(ctx, watchSettle); err != nil {
		return 0, 0, err
	}
	resident, err = residentBytes(b.ServerID())
	return opened[0], resident, err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// wake changes the rollout, and gives the time until the last stream has said
// so.
func (b *watchBench) wake(ctx context.Context, load *watchLoad, action string) (time.Duration, error) {
	body, err := json.Marshal(map[string]string{"reason": "a bench"})
	if err != nil {
		return 0, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.scheme+"://"+b.address()+"/v1/rollouts/"+b.rollout+"/"+action, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Authorization", "Bearer "+b.Token)
	r.Header.Set("Content-Type", "application/json")
	start := time.Now()
	resp, err := b.client.Do(r)
	if err != nil {
		return 0, err
	}
	data, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return 0, err
	}
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s: %s %s", action, resp.Status, data)
	}
	at, err := load.next("woken")
	if err != nil {
		return 0, err
	}
	return time.UnixMicro(int64(at[0])).Sub(start), nil
}

// overTLS starts the server anew with a certificate.
func (b *watchBench) overTLS(ctx context.Context) (*watchBench, error) {
	cert, key := b.Path("cert.pem"), b.Path("key.pem")
	roots, err := certificate(cert, key)
	if err != nil {
		return nil, err
	}
	if err := b.StopServer(syscall.SIGTERM); err != nil {
		return nil, err
	}
	if err := b.Configure(fmt.Sprintf("tls: {cert: %q, key: %q}\n", cert, key)); err != nil {
		return nil, err
	}
	out := *b
	out.scheme, out.ca = "https", cert
	out.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}}}
	return &out, b.StartServer(ctx)
}

// certificate makes one for loopback, of its own word.
func certificate(cert, key string) (*x509.CertPool, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, private.Public(), private)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(public)
	return roots, errors.Join(
		os.WriteFile(cert, public, 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600),
	)
}

// residentBytes is what a process has in memory.
func residentBytes(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("VmRSS is not told")
}

// watchLoad is the process of the handsets, which says on its standard output
// what it sees, one word and numbers a line.
type watchLoad struct {
	cmd   *exec.Cmd
	more  io.WriteCloser // a byte has the rest of the streams opened
	lines *bufio.Scanner
}

func (b *watchBench) load(ctx context.Context) (*watchLoad, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	l := &watchLoad{cmd: exec.CommandContext(ctx, self, watchCommand, b.address(), b.ca)}
	l.cmd.Stderr = os.Stderr
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if l.more, err = l.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	l.lines = bufio.NewScanner(out)
	return l, l.cmd.Start()
}

// next waits for a word and gives its numbers.
func (l *watchLoad) next(word string) ([]float64, error) {
	if !l.lines.Scan() {
		return nil, errors.Join(fmt.Errorf("the load ended before %q", word), l.lines.Err())
	}
	fields := strings.Fields(l.lines.Text())
	if len(fields) < 2 || fields[0] != word {
		return nil, fmt.Errorf("the load says %q instead of %q", l.lines.Text(), word)
	}
	var out []float64
	for _, f := range fields[1:] {
		n, err := strconv.ParseFloat(f, 64)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

func (l *watchLoad) end() error {
	if err := l.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	var exit *exec.ExitError
	if err := l.cmd.Wait(); !errors.As(err, &exit) {
		return err
	}
	return nil
}
