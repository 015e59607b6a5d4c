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
	"errors"
	"fmt"
	"math/big"
	random "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
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
	log       string
	cmd       *exec.Cmd
	done      chan error
}

// Config gives an empty bucket of that name on the server.
func (s *S3) Config(t testing.TB, bucket string) s3.Config {
	t.Helper()
	if err := s.NewBucket(bucket); err != nil {
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
	s, err := RunS3(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// RunS3 starts a server that keeps everything in an empty folder.
func RunS3(ctx context.Context, dir string) (*S3, error) {
	binary, err := build(ctx)
	if err != nil {
		return nil, err
	}
	cert, key, roots, err := certificate(dir)
	if err != nil {
		return nil, err
	}
	endpoint, err := freeAddress()
	if err != nil {
		return nil, err
	}
	s := &S3{
		Endpoint: endpoint, AccessKey: "testadmin", SecretKey: "testsecret123", CAFile: cert,
		buckets:   filepath.Join(dir, "buckets"),
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true},
		log:       filepath.Join(dir, "log"), done: make(chan error, 1),
	}
	for _, d := range []string{s.buckets, filepath.Join(dir, "sidecar")} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return nil, err
		}
	}
	log, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	s.cmd = exec.Command(binary, "--port", s.Endpoint, "--cert", cert, "--key", key, "--quiet",
		"posix", "--sidecar", filepath.Join(dir, "sidecar"), s.buckets)
	s.cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+s.AccessKey, "ROOT_SECRET_KEY="+s.SecretKey)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for whoever started it
	err = s.cmd.Start()
	if err := errors.Join(err, log.Close()); err != nil {
		return nil, fmt.Errorf("start S3 server: %w", err)
	}
	go func() { s.done <- s.cmd.Wait() }()
	if err := s.await(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close ends the server.
func (s *S3) Close() error {
	s.Transport.CloseIdleConnections()
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop S3 server: %w", err)
	}
	var exit *exec.ExitError
	if err := <-s.done; err != nil && !errors.As(err, &exit) { // by the signal, as it should
		return err
	}
	s.done <- nil // ended; again is fine
	return nil
}

// NewBucket makes an empty bucket.
func (s *S3) NewBucket(name string) error { return os.Mkdir(filepath.Join(s.buckets, name), 0o700) }

// Lay puts an object into a bucket without asking the server, which is how
// many of them come there quickly.
func (s *S3) Lay(bucket, key string, data []byte) error {
	name := filepath.Join(s.buckets, bucket, filepath.FromSlash(key))
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	return os.WriteFile(name, data, 0o600)
}

// build compiles the server that scripts/tools pins and gives its path.
func build(ctx context.Context) (string, error) {
	root, err := output(ctx, "", "go", "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return "", err
	}
	return output(ctx, root, "go", "tool", "-modfile=scripts/tools/go.mod", "-n", "versitygw")
}

func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, &complaint)
	}
	return strings.TrimSpace(string(out)), nil
}

// await waits until the server answers.
func (s *S3) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+s.Endpoint, nil)
		if err != nil {
			return err
		}
		if resp, err := s.Transport.RoundTrip(req); err == nil {
			return resp.Body.Close()
		}
		select {
		case ended := <-s.done:
			s.done <- ended
			text, read := os.ReadFile(s.log)
			return errors.Join(fmt.Errorf("the S3 server ended: %w\n%s", ended, text), read)
		case <-ctx.Done():
			return errors.New("the S3 server does not answer")
		case <-tick.C:
		}
	}
}

// freeAddress finds a port below those that systems give to connections that go
// out, so that none of these takes it first.
func freeAddress() (string, error) {
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+random.N(12_000)))
		if err == nil {
			return l.Addr().String(), l.Close()
		}
	}
	return "", errors.New("no free port")
}

// certificate writes a self-signed certificate for 127.0.0.1.
func certificate(dir string) (cert, key string, roots *x509.CertPool, err error) {
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "S3 for tests"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, priv.Public(), priv)
	if err != nil {
		return "", "", nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(priv)
	if err != nil {
		return "", "", nil, err
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	if err := errors.Join(os.WriteFile(cert, public, 0o600), os.WriteFile(key, private, 0o600)); err != nil {
		return "", "", nil, err
	}
	roots = x509.NewCertPool()
	if !roots.AppendCertsFromPEM(public) {
		return "", "", nil, fmt.Errorf("no certificate in %s", cert)
	}
	return cert, key, roots, nil
}
