package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/scripts/figure"
	"github.com/candor-ota/candor/scripts/world"
)

const (
	bareCommand = "serve-bare"
	rounds      = 3
	perRound    = 2 * time.Second
	pollPath    = "/" + layout.TimestampFile
)

// serveBare is the least that net/http can do for a file: a handler that holds
// its bytes and headers, the same as the real server's, and knows nothing else.
func serveBare(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	etag := []string{`"0123456789abcdef0123456789abcdef"`}
	kind, length := []string{"application/json"}, []string{fmt.Sprint(len(data))}
	cache, nosniff := []string{"max-age=60, must-revalidate"}, []string{"nosniff"}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["Etag"], h["Cache-Control"] = etag, cache
		if r.Header.Get("If-None-Match") == etag[0] {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		h["Content-Type"], h["X-Content-Type-Options"], h["Content-Length"] = kind, nosniff, length
		if _, err := w.Write(data); err != nil {
			return // the load has ended
		}
	})}
	return server.Serve(l)
}

// process is a server under comparison.
type process struct {
	cmd     *exec.Cmd
	address string
}

func (p *process) end() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	var exit *exec.ExitError
	if err := p.cmd.Wait(); !errors.As(err, &exit) {
		return err
	}
	return nil
}

func startBare(file string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(self, bareCommand, file)}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	p.address = strings.TrimSpace(line)
	return p, err
}

// startNginx serves the directory of a file, where nginx is installed.
func startNginx(dir, file string) (*process, error) {
	program, err := exec.LookPath("nginx")
	if err != nil {
		return nil, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	conf := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/nginx.pid; error_log %[1]s/nginx.err;
events { worker_connections 256; }
http { access_log off; keepalive_requests 100000000; etag on; open_file_cache max=100; types { application/json json; }
client_body_temp_path %[1]s/t1; proxy_temp_path %[1]s/t2; fastcgi_temp_path %[1]s/t3; uwsgi_temp_path %[1]s/t4; scgi_temp_path %[1]s/t5;
server { listen %[2]s; root %[3]s; } }`, dir, address, filepath.Dir(file))
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(program, "-c", path, "-p", dir), address: address}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	for range 50 {
		if c, err := net.Dial("tcp", address); err == nil {
			return p, c.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, errors.New("nginx does not answer")
}

func poll(ctx context.Context, dir string) (rows []figure.Row, err error) {
	w, err := world.New(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if err := w.Ceremony(ctx, "phone"); err != nil {
		return nil, err
	}
	var timestamp []byte
	if err := w.Call(ctx, http.MethodGet, pollPath, nil, &timestamp); err != nil {
		return nil, err
	}
	file := w.Path("timestamp.json")
	if err := os.WriteFile(file, timestamp, 0o644); err != nil {
		return nil, err
	}
	bare, err := startBare(file)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bare.end()) }()
	nginx, err := startNginx(dir, file)
	if err != nil {
		return nil, err
	}
	if nginx != nil {
		defer func() { err = errors.Join(err, nginx.end()) }()
	}
	candor := &process{cmd: &exec.Cmd{Process: &os.Process{Pid: w.ServerID()}}, address: strings.TrimPrefix(w.Server, "http://")}
	for _, status := range []int{http.StatusOK, http.StatusNotModified} {
		more, err := pollStatus(ctx, status, candor, bare, nginx)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return append(rows, figure.AtMost("timestamp.json", float64(len(timestamp)), "bytes", 1024)), nil
}

func pollStatus(ctx context.Context, status int, candor, bare, nginx *process) ([]figure.Row, error) {
	targets := []*target{
		{name: "candor-server", pid: candor.cmd.Process.Pid, address: candor.address, path: pollPath},
		{name: "bare net/http handler", pid: bare.cmd.Process.Pid, address: bare.address, path: pollPath},
	}
	if nginx != nil {
		targets = append(targets, &target{name: "nginx, static file", pid: nginx.cmd.Process.Pid, address: nginx.address, path: "/timestamp.json"})
	}
	for _, t := range targets {
		t.want = status
		if status == http.StatusNotModified {
			var err error
			if t.etag, err = etagOf(t); err != nil {
				return nil, err
			}
		}
	}
	for range rounds {
		for _, t := range targets {
			if err := t.load(ctx, perRound); err != nil {
				return nil, err
			}
		}
	}
	var rows []figure.Row
	for _, t := range targets {
		rows = append(rows, figure.Of(fmt.Sprintf("%s, %d", t.name, status), t.perCPUSecond(), "req/CPU-s"))
	}
	return append(rows, figure.AtLeast(fmt.Sprintf("candor-server against the bare handler, %d", status), targets[0].perCPUSecond()/targets[1].perCPUSecond(), "ratio", 0.8)), nil
}

func etagOf(t *target) (string, error) {
	resp, err := http.Get("http://" + t.address + t.path)
	if err != nil {
		return "", err
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return "", err
	}
	return resp.Header.Get("ETag"), resp.Body.Close()
}
