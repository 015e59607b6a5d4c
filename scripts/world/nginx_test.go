package world_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/scripts/world"
)

// cache is Debian's nginx with the configuration that we ship, between a
// gateway that watches what it asks for and whoever asks it.
type cache struct {
	t      *testing.T
	dir    string
	url    string // plain HTTP
	secure string
	origin *gateway
}

// gateway stands before the real server: it counts, and it can fail, lie and wait.
type gateway struct {
	url   string
	inner http.Handler

	mu    sync.Mutex
	seen  map[string]int
	front func(w http.ResponseWriter, r *http.Request, inner http.Handler) // nil: pass
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	g.seen[r.URL.Path]++
	front := g.front
	g.mu.Unlock()
	if front != nil {
		front(w, r, g.inner)
		return
	}
	g.inner.ServeHTTP(w, r)
}

func (g *gateway) count(path string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.seen[path]
}

func (g *gateway) becomes(front func(w http.ResponseWriter, r *http.Request, inner http.Handler)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.front = front
}

// gatewayTo makes a gateway to an address.
func gatewayTo(t *testing.T, address string) *gateway {
	t.Helper()
	to, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.Transport = &http.Transport{DisableCompression: true} // bytes pass as they are
	proxy.ErrorLog = log.New(io.Discard, "", 0)                 // readers go away, as tests want it
	g := &gateway{inner: proxy, seen: map[string]int{}}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	g.url = server.URL
	return g
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// replaced changes what an operator changes, and nothing else.
func replaced(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("what is shipped has no %q any more", pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

func startCache(t *testing.T, w *world.World) *cache {
	t.Helper()
	c := newCache(t, w)
	plain, secure := free(t), free(t)
	conf := replaced(t, shipped(t, "nginx/candor.conf"),
		"/var/cache/nginx/candor", c.dir+"/cache", "/var/log/nginx/", c.dir+"/", "/etc/nginx/candor/", c.dir+"/",
		"listen 443 ssl;", "listen "+secure+" ssl; listen "+plain+";", "server 127.0.0.1:8080;", "server "+c.upstream()+";")
	c.run(fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/start.log;
events { worker_connections 256; }
http { %[2]s
%[3]s }`, c.dir, c.folders(), conf), plain, secure)
	return c
}

// startProxy runs what compose.yaml has in front of its server.
func startProxy(t *testing.T, w *world.World) *cache {
	t.Helper()
	c := newCache(t, w)
	plain, secure := free(t), free(t)
	conf := replaced(t, shipped(t, "compose/nginx.conf"),
		"/run/secrets/proxy-cert", c.dir+"/cert.pem", "/run/secrets/proxy-key", c.dir+"/key.pem", "/dev/stderr", c.dir+"/candor-error.log",
		"listen 443 ssl http2;", "listen "+secure+" ssl http2; listen "+plain+";", "server server:8080;", "server "+c.upstream()+";",
		"worker_processes auto;", "daemon off; master_process off; pid "+c.dir+"/pid; error_log "+c.dir+"/start.log;", "http {", "http { "+c.folders())
	c.run(conf, plain, secure)
	return c
}

func shipped(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../server/deploy/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func newCache(t *testing.T, w *world.World) *cache {
	t.Helper()
	c := &cache{t: t, dir: t.TempDir(), origin: gatewayTo(t, w.Server)}
	certificate(t, c.dir)
	return c
}

func (c *cache) upstream() string { return strings.TrimPrefix(c.origin.url, "http://") }

// folders are where nginx keeps what does not fit its buffers.
func (c *cache) folders() string {
	return fmt.Sprintf(`client_body_temp_path %[1]s/t1; proxy_temp_path %[1]s/t2; fastcgi_temp_path %[1]s/t3; uwsgi_temp_path %[1]s/t4; scgi_temp_path %[1]s/t5;`, c.dir)
}

// run starts nginx and waits until it listens.
func (c *cache) run(conf, plain, secure string) {
	t := c.t
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx" // not in everybody's path
	}
	path := filepath.Join(c.dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-c", path, "-p", c.dir, "-e", c.dir+"/start.log")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := cmd.Wait(); err != nil {
			t.Logf("nginx: %v", err)
		}
	}()
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
		<-ended
	})
	c.url, c.secure = "http://"+plain, "https://"+secure
	for {
		conn, err := net.Dial("tcp", plain)
		if err == nil {
			conn.Close()
			return
		}
		select {
		case <-ended:
			text, err := os.ReadFile(c.dir + "/start.log")
			t.Fatalf("nginx ended: %s %v", text, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// certificate writes cert.pem and key.pem for 127.0.0.1.
func certificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// answered is an answer without its body.
type answered struct {
	StatusCode int
	Status     string
	Header     http.Header
}

func ask(t *testing.T, method, address string, header ...string) (answered, []byte) {
	t.Helper()
	r, err := http.NewRequest(method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "identity")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return answered{resp.StatusCode, resp.Status, resp.Header}, body
}

// ours are the headers of an answer that a cache must not change.
func ours(h http.Header) string {
	var out []string
	for _, name := range []string{"Etag", "Cache-Control", "Vary", "Content-Type", "Content-Encoding", "Content-Length", "X-Content-Type-Options", "Content-Range"} {
		out = append(out, name+": "+h.Get(name))
	}
	return strings.Join(out, "\n")
}

const (
	timestampPath = "/" + layout.TimestampFile
	rootPath      = "/metadata/1.root.json"
	targetsPath   = "/metadata/1.targets.json"
)

// packOf gives the path of a blob of build 42, and how many bytes it has.
func packOf(t *testing.T, w *world.World) (string, int64) {
	t.Helper()
	r, err := w.Published(ctx, product, 42)
	if err != nil {
		t.Fatal(err)
	}
	return "/" + layout.BlobFile(r.Images[0].Pack.SHA256), r.Images[0].Pack.Size
}

func TestNginxKeepsWhatItMayAndChangesNothing(t *testing.T) {
	w := start(t)
	release(t, w, 42, atOnce)
	c := startCache(t, w)
	pack, size := packOf(t, w)
	for _, path := range []string{timestampPath, rootPath, pack} {
		for _, coding := range []string{"identity", "gzip", "br, gzip;q=0.5", "gzip;q=0"} {
			here, body := ask(t, "GET", w.Server+path, "Accept-Encoding", coding)
			for range 3 {
				there, same := ask(t, "GET", c.url+path, "Accept-Encoding", coding)
				if there.StatusCode != here.StatusCode || string(same) != string(body) || ours(there.Header) != ours(here.Header) {
					t.Errorf("%s, %s: %s\n%s\ninstead of\n%s", path, coding, there.Status, ours(there.Header), ours(here.Header))
				}
			}
			tag := here.Header.Get("ETag")
			if there, none := ask(t, "GET", c.url+path, "Accept-Encoding", coding, "If-None-Match", tag); there.StatusCode != 304 || len(none) != 0 || there.Header.Get("ETag") != tag {
				t.Errorf("%s, %s, unchanged: %s", path, coding, there.Status)
			}
			if there, _ := ask(t, "GET", c.url+path, "Accept-Encoding", coding, "If-None-Match", `"other"`); there.StatusCode != 200 {
				t.Errorf("%s, %s, another tag: %s", path, coding, there.Status)
			}
		}
	}
	pieces := int((size + 1<<20 - 1) >> 20)
	for path, want := range map[string]int{timestampPath: 2, rootPath: 2, pack: pieces} { // plain and gzip
		if n := c.origin.count(path); n > want {
			t.Errorf("%s: the server was asked %d times, want at most %d", path, n, want)
		}
	}
	here, part := ask(t, "GET", w.Server+pack, "Range", "bytes=70000-80000")
	there, same := ask(t, "GET", c.url+pack, "Range", "bytes=70000-80000", "If-Range", here.Header.Get("ETag"))
	if there.StatusCode != 206 || string(same) != string(part) || ours(there.Header) != ours(here.Header) {
		t.Errorf("range: %s\n%s", there.Status, ours(there.Header))
	}
	for range 3 {
		ask(t, "GET", c.url+"/metadata/2.root.json")
		ask(t, "GET", c.url+"/metadata/9999.snapshot.json")
	}
	if next, other := c.origin.count("/metadata/2.root.json"), c.origin.count("/metadata/9999.snapshot.json"); next != 1 || other != 3 {
		t.Errorf("the next root was asked for %d times, what is not there yet %d times", next, other)
	}
	if r, _ := ask(t, "GET", c.url+timestampPath+"?x=1"); r.StatusCode != 404 {
		t.Errorf("with a query: %s", r.Status)
	}
}

func TestNginxSpeaksTLS(t *testing.T) {
	w := start(t)
	c := startCache(t, w)
	text, err := os.ReadFile(filepath.Join(c.dir, "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}}}
	resp, err := client.Get(c.secure + timestampPath)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != 200 {
		t.Error(resp.Status, err)
	}
}

// Requests that miss together become one: the first is held at the server
// until nginx has read all of them.
func TestNginxCollapsesWhatMissesTogether(t *testing.T) {
	w := start(t)
	c := startCache(t, w)
	ask(t, "GET", c.url+timestampPath) // kept: asking for it again tells that nginx has read on
	entered, gate := make(chan struct{}, 64), make(chan struct{})
	c.origin.becomes(func(w http.ResponseWriter, r *http.Request, inner http.Handler) {
		entered <- struct{}{}
		<-gate
		inner.ServeHTTP(w, r)
	})
	var conns []net.Conn
	for i := range 16 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(c.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", rootPath); err != nil {
			t.Fatal(err)
		}
		if conns = append(conns, conn); i == 0 {
			<-entered
		}
	}
	ask(t, "GET", c.url+timestampPath, "Connection", "close")
	close(gate)
	for _, conn := range conns {
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
			t.Error(resp.Status, err)
		}
		resp.Body.Close()
	}
	if n := c.origin.count(rootPath); n != 1 {
		t.Errorf("the server was asked %d times", n)
	}
}

// While the server is away, what cannot change is served on, and what says
// that something is new is not: a halt could be hidden.
func TestNginxServesStaleOnlyWhatCannotChange(t *testing.T) {
	w := start(t)
	c := startCache(t, w)
	c.origin.becomes(func(w http.ResponseWriter, r *http.Request, inner http.Handler) {
		answer := httptest.NewRecorder()
		inner.ServeHTTP(answer, r)
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.Header().Set("Cache-Control", "max-age=1") // a minute, or a year, in a second
		w.WriteHeader(answer.Code)
		w.Write(answer.Body.Bytes())
	})
	for _, path := range []string{timestampPath, targetsPath} {
		if r, _ := ask(t, "GET", c.url+path); r.StatusCode != 200 {
			t.Fatal(r.Status)
		}
	}
	for name, fault := range map[string]func(w http.ResponseWriter, r *http.Request, inner http.Handler){
		"unavailable": func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.WriteHeader(503) },
		"gone":        func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) },
	} {
		c.origin.becomes(fault)
		for status := 200; status == 200; {
			r, _ := ask(t, "GET", c.url+timestampPath)
			status = r.StatusCode
		}
		if r, _ := ask(t, "GET", c.url+timestampPath); r.StatusCode < 500 {
			t.Errorf("%s: the timestamp came as %s", name, r.Status)
		}
		if r, body := ask(t, "GET", c.url+targetsPath); r.StatusCode != 200 || len(body) == 0 {
			t.Errorf("%s: the targets came as %s", name, r.Status)
		}
	}
}

func TestNginxKeepsNoAddressesAndNoLogOfVotes(t *testing.T) {
	w := start(t)
	c := startCache(t, w)
	votes := []string{"/v1/tokens", "/v1/votes", "/v1/enrolments", "/v1/enrolments/withdraw", "/v1/lab-reports"}
	for _, fault := range []func(w http.ResponseWriter, r *http.Request, inner http.Handler){
		nil,
		func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }, // errors are logged elsewhere
	} {
		c.origin.becomes(fault)
		ask(t, "GET", c.url+timestampPath)
		for _, path := range votes {
			ask(t, "POST", c.url+path)
		}
	}
	for _, path := range votes {
		if n := c.origin.count(path); n != 2 {
			t.Errorf("%s reached the server %d times", path, n)
		}
	}
	logs, err := filepath.Glob(filepath.Join(c.dir, "*.log"))
	if err != nil || len(logs) != 3 {
		t.Fatal(logs, err)
	}
	for _, name := range logs {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "127.0.0.1") || strings.Contains(string(text), "/v1/") {
			t.Errorf("%s:\n%s", filepath.Base(name), text)
		}
		if filepath.Base(name) == "candor.log" && !strings.Contains(string(text), timestampPath) {
			t.Errorf("polls are not in the log: %s", text)
		}
	}
}
