package storetest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	random "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/server/store/s3"
)

// S3 is a running versitygw: a real S3 server, over TLS, on loopback.
type S3 struct {
	Endpoint  string
	Transport *http.Transport // trusts the server's own certificate
	AccessKey string
	SecretKey string
	CAFile    string // PEM of its own certificate
	buckets   string
}

// Config gives an empty bucket of that name on the server.
func (s *S3) Config(t testing.TB, bucket string) s3.Config {
	t.Helper()
	if err := os.Mkdir(filepath.Join(s.buckets, bucket), 0o700); err != nil {
		t.Fatal(err)
	}
	return s3.Config{
		Endpoint: s.Endpoint, Region: "us-east-1", Bucket: bucket,
		AccessKey: s.AccessKey, SecretKey: s.SecretKey, Transport: s.Transport,
	}
}

// StartS3 starts a server that lives as long as the test. The first call on a
// machine compiles it, which takes minutes; later calls find it in Go's cache.
func StartS3(t testing.TB) *S3 {
	t.Helper()
	binary := build(t)
	dir := t.TempDir()
	cert, key, roots := certificate(t, dir)
	s := &S3{
		Endpoint: freeAddress(t), AccessKey: "testadmin", SecretKey: "testsecret123", CAFile: cert,
		buckets:   filepath.Join(dir, "buckets"),
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true},
	}
	for _, d := range []string{s.buckets, filepath.Join(dir, "sidecar")} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "--port", s.Endpoint, "--cert", cert, "--key", key, "--quiet",
		"posix", "--sidecar", filepath.Join(dir, "sidecar"), s.buckets)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+s.AccessKey, "ROOT_SECRET_KEY="+s.SecretKey)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatalf("start S3 server: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	t.Cleanup(func() {
		s.Transport.CloseIdleConnections()
		if err := cmd.Process.Kill(); err != nil {
			t.Logf("stop S3 server: %v", err)
		}
		if err := <-done; err != nil {
			t.Logf("the S3 server ended: %v", err) // by the signal, as it should
		}
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	s.await(t, done, log.Name())
	return s
}

// build compiles the server that scripts/tools pins and gives its path.
func build(t testing.TB) string {
	t.Helper()
	root := output(t, "", "go", "list", "-m", "-f", "{{.Dir}}")
	return output(t, root, "go", "tool", "-modfile=scripts/tools/go.mod", "-n", "versitygw")
}

func output(t testing.TB, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, &complaint)
	}
	return strings.TrimSpace(string(out))
}

// await waits until the server answers.
func (s *S3) await(t testing.TB, done <-chan error, log string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+s.Endpoint, nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := s.Transport.RoundTrip(req); err == nil {
			if err := resp.Body.Close(); err != nil {
				t.Fatal(err)
			}
			return
		}
		select {
		case err := <-done:
			text, _ := os.ReadFile(log)
			t.Fatalf("the S3 server ended: %v\n%s", err, text)
		case <-ctx.Done():
			t.Fatal("the S3 server does not answer")
		case <-tick.C:
		}
	}
}

// freeAddress finds a port below those that systems give to connections that go
// out, so that none of these takes it first.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+random.N(12_000)))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return l.Addr().String()
	}
	t.Fatal("no free port")
	return ""
}

// certificate writes a self-signed certificate for 127.0.0.1.
func certificate(t testing.TB, dir string) (cert, key string, roots *x509.CertPool) {
	t.Helper()
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "S3 for tests"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, priv.Public(), priv)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(priv)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	public := writePEM(t, cert, "CERTIFICATE", der)
	writePEM(t, key, "PRIVATE KEY", secret)
	roots = x509.NewCertPool()
	if !roots.AppendCertsFromPEM(public) {
		t.Fatal(fmt.Errorf("no certificate in %s", cert))
	}
	return cert, key, roots
}

func writePEM(t testing.TB, name, kind string, der []byte) []byte {
	t.Helper()
	b := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return b
}
