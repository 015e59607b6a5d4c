package config

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/disk"
	"github.com/candor-ota/candor/server/store/s3"
)

// S3 names a bucket that exists and honours conditional writes.
type S3 struct {
	Endpoint      string `json:"endpoint"` // host or host:port, reached by HTTPS
	Region        string `json:"region,omitempty"`
	Bucket        string `json:"bucket"`
	Prefix        string `json:"prefix,omitempty"`
	AccessKeyFile string `json:"accessKeyFile"` // one line each
	SecretKeyFile string `json:"secretKeyFile"`
	// CAFile is a PEM file of the authorities to trust instead of the system's.
	CAFile string `json:"caFile,omitempty"`
	// Redirect sends handsets to the bucket for images, by URLs that open one
	// object for an hour; true if absent. False streams them through here.
	Redirect *bool `json:"redirect,omitempty"`
	// PublicEndpoint is where handsets reach the bucket, host or host:port by
	// HTTPS; Endpoint if empty.
	PublicEndpoint string `json:"publicEndpoint,omitempty"`
}

// Redirects gives Redirect or its default.
func (s S3) Redirects() bool { return s.Redirect == nil || *s.Redirect }

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

func (f *File) validateS3(say func(field, format string, args ...any)) {
	s := f.S3
	if s == nil {
		return
	}
	if !isHost(s.Endpoint) {
		say("s3.endpoint", "%q is not host or host:port", s.Endpoint)
	}
	if s.PublicEndpoint != "" && !isHost(s.PublicEndpoint) {
		say("s3.publicEndpoint", "%q is not host or host:port; handsets reach it by HTTPS", s.PublicEndpoint)
	}
	if s.PublicEndpoint != "" && !s.Redirects() {
		say("s3.publicEndpoint", "is for redirects, which s3.redirect turns off")
	}
	if !bucketName.MatchString(s.Bucket) {
		say("s3.bucket", "%q is not the name of a bucket", s.Bucket)
	}
	if err := store.CheckPrefix(s.Prefix); err != nil {
		say("s3.prefix", "%v", err)
	}
	for field, name := range map[string]string{"s3.accessKeyFile": s.AccessKeyFile, "s3.secretKeyFile": s.SecretKeyFile} {
		if _, err := os.Stat(name); err != nil {
			say(field, "%v", err)
		}
	}
}

// isHost tells whether a text is host or host:port.
func isHost(text string) bool {
	if text == "" || strings.ContainsAny(text, "/?#@ ") {
		return false
	}
	if host, port, err := net.SplitHostPort(text); err == nil {
		return host != "" && port != ""
	}
	return !strings.Contains(text, ":")
}

// Blobs is a store of blobs that is closed at the end.
type Blobs interface {
	store.Blobs
	Close() error
}

// OpenBlobs opens the bucket or the folder tree/. What it gives for a bucket
// can presign where redirects are on.
func (d Dir) OpenBlobs(ctx context.Context, f File) (Blobs, error) {
	if f.S3 == nil {
		return disk.Open(d.Tree())
	}
	b, err := f.S3.open(ctx)
	if err != nil {
		return nil, err
	}
	if !f.S3.Redirects() {
		return streamed{b}, nil
	}
	return bucket{b}, nil
}

func (s S3) open(ctx context.Context) (*s3.Blobs, error) {
	if _, _, err := s.keys(); err != nil {
		return nil, err
	}
	var roots *x509.CertPool
	if s.CAFile != "" {
		pem, err := os.ReadFile(s.CAFile)
		if err != nil {
			return nil, fmt.Errorf("s3: caFile: %w", err)
		}
		if roots = x509.NewCertPool(); !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("s3: caFile: %s holds no certificate in PEM", s.CAFile)
		}
	}
	return s3.New(ctx, s3.Config{
		Endpoint: s.Endpoint, PublicEndpoint: s.PublicEndpoint, Region: s.Region, Bucket: s.Bucket, Prefix: s.Prefix,
		ReadKeys: s.keys, Transport: s3.Transport(roots),
	})
}

// keys reads both keys as they are now.
func (s S3) keys() (access, key string, err error) {
	if access, err = secret(s.AccessKeyFile); err == nil {
		key, err = secret(s.SecretKeyFile)
	}
	return access, key, err
}

func secret(name string) (string, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("s3: %w", err)
	}
	text := strings.TrimSpace(string(data))
	if text == "" {
		return "", errors.New("s3: " + name + " is empty")
	}
	return text, nil
}

// Published is what is published, to be read only.
type Published interface {
	Open(ctx context.Context, key string) (io.ReadSeekCloser, store.Info, error)
	Stat(ctx context.Context, key string) (store.Info, error)
	List(ctx context.Context, prefix string) iter.Seq2[store.Info, error]
	Load(ctx context.Context, key string) ([]byte, store.ETag, error)
	Close() error
}

// OpenPublished opens the bucket or the folder tree/ for reading, also while a
// server uses it.
func (d Dir) OpenPublished(ctx context.Context, f File) (Published, error) {
	if f.S3 == nil {
		return disk.OpenView(d.Tree())
	}
	return d.OpenBlobs(ctx, f)
}

type bucket struct{ *s3.Blobs }

func (bucket) Close() error { return nil }

// Driver names the store in figures.
func (bucket) Driver() string { return "s3" }

// streamed is a bucket that cannot presign.
type streamed struct{ store.Blobs }

func (streamed) Close() error { return nil }

// Driver names the store in figures.
func (streamed) Driver() string { return "s3" }

// Removes is that of the bucket.
func (s streamed) Removes(ctx context.Context) (rules []string, known bool, err error) {
	if b, ok := s.Blobs.(*s3.Blobs); ok {
		return b.Removes(ctx)
	}
	return nil, false, nil
}

// Sweep drops what dead processes left half-sent in a bucket, and tells how
// many objects that were. There is nothing to do for a folder, which does it
// when it is opened.
func Sweep(ctx context.Context, b Blobs, now func() time.Time) (int, error) {
	if s, ok := b.(streamed); ok {
		return sweep(ctx, s.Blobs, now)
	}
	return sweep(ctx, b, now)
}

func sweep(ctx context.Context, b any, now func() time.Time) (int, error) {
	s, ok := b.(interface {
		AbortStale(ctx context.Context, before time.Time) (int, error)
	})
	if !ok {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, sweepTime)
	defer cancel()
	return s.AbortStale(ctx, now().Add(-s3.StaleUpload))
}

// sweepTime bounds Sweep: it comes before a server serves.
const sweepTime = 10 * time.Second
