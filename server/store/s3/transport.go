package s3

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"time"
)

// What the connections to a service may cost.
const (
	dialTime     = 5 * time.Second
	idleTime     = 60 * time.Second
	maxIdle      = 128 // connections kept for later: a burst of downloads does not pay for TLS again
	maxConns     = 512 // at once; more requests wait for one of them
	socketBuffer = 64 << 10
)

// Transport is the HTTP transport that New uses by itself. roots are the
// authorities to trust; nil is the system's. It speaks HTTP/1.1 only, as S3
// does: one connection for each download is faster than many in one.
func Transport(roots *x509.CertPool) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: dialTime, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: dialTime,
		IdleConnTimeout:     idleTime,
		MaxIdleConns:        maxIdle,
		MaxIdleConnsPerHost: maxIdle,
		MaxConnsPerHost:     maxConns,
		ReadBufferSize:      socketBuffer,
		WriteBufferSize:     socketBuffer,
		DisableCompression:  true, // what is stored is what is read
		Protocols:           protocols,
	}
}
