package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/candor-ota/candor/scripts/figure"
	"github.com/candor-ota/candor/scripts/world"
)

// handshakes is how connections are made.
type handshakes struct {
	name    string
	curve   tls.CurveID
	resumed bool
	alone   bool // nginx of today's distributions cannot
}

var kinds = []handshakes{
	{name: "X25519, as handsets ask", curve: tls.X25519},
	{name: "X25519, resumed, as handsets ask", curve: tls.X25519, resumed: true},
	{name: "P-256", curve: tls.CurveP256},
	{name: "P-256, resumed", curve: tls.CurveP256, resumed: true},
	{name: "X25519MLKEM768", curve: tls.X25519MLKEM768, alone: true},
	{name: "X25519MLKEM768, resumed", curve: tls.X25519MLKEM768, resumed: true, alone: true},
}

// tlsBench opens connections with TLS 1.3 and an ECDSA P-256 certificate, one
// poll on each, and compares what that costs the servers.
func tlsBench(ctx context.Context, dir string) (rows []figure.Row, err error) {
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
	if err := errors.Join(os.WriteFile(w.Path("timestamp.json"), timestamp, 0o644), writeCertificate(w.Path("cert.pem"), w.Path("key.pem"))); err != nil {
		return nil, err
	}
	if err := w.StopServer(syscall.SIGTERM); err != nil {
		return nil, err
	}
	candor, err := startServer(w, w.Path("data"), "--tls-cert", w.Path("cert.pem"), "--tls-key", w.Path("key.pem"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, candor.end()) }()
	nginx, err := startNginx(w.Dir, w.Dir, nginxTLS{"ssl", fmt.Sprintf(
		"ssl_certificate %s; ssl_certificate_key %s; ssl_protocols TLSv1.3; ssl_session_cache shared:tls:8m;", w.Path("cert.pem"), w.Path("key.pem"),
	)})
	if err != nil {
		return nil, err
	}
	if nginx != nil {
		defer func() { err = errors.Join(err, nginx.end()) }()
	}
	for _, kind := range kinds {
		more, err := kind.measure(ctx, candor, nginx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kind.name, err)
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

func (k handshakes) measure(ctx context.Context, candor, nginx *process) ([]figure.Row, error) {
	ours := &target{name: "candor-server", pid: candor.pid(), address: candor.address, path: pollPath}
	all := []*target{ours}
	if nginx != nil && !k.alone {
		all = append(all, &target{name: "nginx", pid: nginx.pid(), address: nginx.address, path: "/timestamp.json"})
	}
	for range rounds {
		for _, t := range all {
			if err := k.load(ctx, t, perRound); err != nil {
				return nil, err
			}
		}
	}
	var rows []figure.Row
	for _, t := range all {
		rows = append(rows, figure.Of(k.name+": "+t.name, t.perCPUSecond(), "conn/CPU-s"))
	}
	if len(all) == 2 {
		rows = append(rows, figure.AtLeast(k.name+": candor-server against nginx", ours.against(all[1]), "ratio", 1))
	}
	return rows, nil
}

// load opens one connection after the other, on a few goroutines.
func (k handshakes) load(ctx context.Context, t *target, d time.Duration) error {
	return t.cost(func() (int64, error) {
		ctx, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		const atOnce = 8
		var done atomic.Int64
		errs := make([]error, atOnce)
		var wg sync.WaitGroup
		for i := range atOnce {
			wg.Go(func() {
				config := &tls.Config{MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{k.curve}, InsecureSkipVerify: true} // what is measured is the server
				if k.resumed {
					config.ClientSessionCache = tls.NewLRUClientSessionCache(4)
				}
				for n := 0; ctx.Err() == nil && errs[i] == nil; n++ {
					errs[i] = k.connect(t, config, n > 0)
					done.Add(1)
				}
			})
		}
		wg.Wait()
		return done.Load(), errors.Join(errs...)
	})
}

// connect makes one connection and polls once.
func (k handshakes) connect(t *target, config *tls.Config, again bool) error {
	raw, err := net.Dial("tcp", t.address)
	if err != nil {
		return err
	}
	conn := tls.Client(raw, config)
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", t.path, t.address); err != nil {
		return errors.Join(err, raw.Close())
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return errors.Join(err, raw.Close())
	}
	_, err = io.Copy(io.Discard, resp.Body)
	state := conn.ConnectionState()
	switch {
	case err == nil && resp.StatusCode != http.StatusOK:
		err = fmt.Errorf("%s answered %s", t.name, resp.Status)
	case err == nil && k.resumed && again && !state.DidResume:
		err = fmt.Errorf("%s does not resume sessions", t.name)
	}
	return errors.Join(err, resp.Body.Close(), raw.Close())
}

// writeCertificate makes a P-256 key and a certificate for 127.0.0.1.
func writeCertificate(cert, key string) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &private.PublicKey, private)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600),
	)
}
