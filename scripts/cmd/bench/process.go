package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/candor-ota/candor/scripts/world"
	"github.com/candor-ota/candor/server/api"
)

const bareCommand = "serve-bare"

// serveBare is the least that net/http can do for a file: a handler that holds
// its bytes and headers, the same as the real server's, behind a server with
// the same limits, and knows nothing else.
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
	cache, nosniff, vary := []string{"max-age=60, must-revalidate"}, []string{"nosniff"}, []string{"Accept-Encoding"}
	return api.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["Etag"], h["Cache-Control"], h["Vary"] = etag, cache, vary
		if r.Header.Get("If-None-Match") == etag[0] {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		h["Content-Type"], h["X-Content-Type-Options"], h["Content-Length"] = kind, nosniff, length
		if _, err := w.Write(data); err != nil {
			return // the load has ended
		}
	})).Serve(l)
}

// process is a server under comparison.
type process struct {
	cmd     *exec.Cmd
	address string
}

func (p *process) pid() int { return p.cmd.Process.Pid }

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

// ofWorld is the server of a world, which the world ends.
func ofWorld(w *world.World) *process {
	return &process{cmd: &exec.Cmd{Process: &os.Process{Pid: w.ServerID()}}, address: strings.TrimPrefix(w.Server, "http://")}
}

// startSelf starts this program as a server that prints its address.
func startSelf(args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(self, args...)}
	p.cmd.Stderr = os.Stderr
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

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// startServer runs the real server of a world over another data directory.
func startServer(w *world.World, data string, flags ...string) (*process, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p := &process{address: address}
	log, err := os.Create(data + ".log")
	if err != nil {
		return nil, err
	}
	p.cmd = exec.Command(w.Path("bin", "candor-server"), append([]string{"run", "--data", data, "--listen", p.address, "--admin", "127.0.0.1:0"}, flags...)...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := errors.Join(p.cmd.Start(), log.Close()); err != nil {
		return nil, err
	}
	return p, p.answers(data + ".log")
}

// answers waits until a server takes connections.
func (p *process) answers(log string) error {
	for range 600 {
		if c, err := net.Dial("tcp", p.address); err == nil {
			return c.Close()
		}
		time.Sleep(100 * time.Millisecond)
	}
	text, err := os.ReadFile(log)
	return errors.Join(fmt.Errorf("a server does not answer; its log:\n%s", text), err)
}

// findNginx names the program where it is installed, else nothing.
func findNginx() string {
	for _, name := range []string{"nginx", "/usr/sbin/nginx"} { // not in everybody's path
		if program, err := exec.LookPath(name); err == nil {
			return program
		}
	}
	return ""
}

// startNginx serves a directory, where nginx is installed; tls is what its
// server says about TLS, with the word that follows the address.
func startNginx(dir, root string, tls nginxTLS) (*process, error) {
	program := findNginx()
	if program == "" {
		return nil, nil
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p := &process{address: address}
	conf := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/nginx.pid; error_log %[1]s/nginx.err;
events { worker_connections 256; }
http { access_log off; keepalive_requests 100000000; etag on; sendfile on; tcp_nopush on; open_file_cache max=100; types { application/json json; }
client_body_temp_path %[1]s/t1; proxy_temp_path %[1]s/t2; fastcgi_temp_path %[1]s/t3; uwsgi_temp_path %[1]s/t4; scgi_temp_path %[1]s/t5;
server { listen %[2]s %[4]s; root %[3]s; %[5]s } }`, dir, p.address, root, tls.listen, tls.settings)
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	p.cmd = exec.Command(program, "-c", path, "-p", dir, "-e", filepath.Join(dir, "nginx.err"))
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	return p, p.answers(filepath.Join(dir, "nginx.err"))
}

// nginxTLS is what a server of nginx says about TLS.
type nginxTLS struct{ listen, settings string }
