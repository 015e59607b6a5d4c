package s3

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/minio/minio-go/v7"
)

// Bounds of one call. A service that hangs must be found out while whoever
// waits still waits: 7 s to an answer and a short pause let a call that hung
// succeed within 10 s of the service's coming back.
const (
	// DefaultAnswerTime is until the answer, per attempt, for a small request.
	DefaultAnswerTime = 7 * time.Second

	finishTime = time.Minute // the same for putting parts together, and more by storeRate
	storeRate  = 4 << 20     // bytes/s: how fast a service puts away what it was sent
	attempts   = 4
	firstPause = 100 * time.Millisecond // doubled each time, and then half of it at random
)

// errNoAnswer is why an attempt was given up.
var errNoAnswer = errors.New("no answer in time")

// try runs do until it succeeds, fails for good, or was tried often enough.
// Each attempt has until limit. Everything that is tried here may be done
// twice: what an attempt did before its answer was lost is found by the next.
func (b *Blobs) try(ctx context.Context, limit time.Duration, do func(context.Context) error) error {
	return b.tryAlive(ctx, limit, func(ctx context.Context, _ func()) error { return do(ctx) })
}

// tryAlive is try for bodies: limit begins anew with each call of alive.
func (b *Blobs) tryAlive(ctx context.Context, limit time.Duration, do func(ctx context.Context, alive func()) error) error {
	pause := firstPause
	for n := 1; ; n++ {
		err := b.attempt(ctx, limit, do)
		if err == nil || n == attempts || ctx.Err() != nil || !passing(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-time.After(pause/2 + rand.N(pause/2)):
		}
		pause *= 2
	}
}

func (b *Blobs) attempt(ctx context.Context, limit time.Duration, do func(ctx context.Context, alive func()) error) error {
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := b.afterFunc(limit, func() { cancel(errNoAnswer) })
	err := do(inner, func() { timer.Reset(limit) })
	timer.Stop()
	if err != nil && errors.Is(context.Cause(inner), errNoAnswer) {
		err = errors.Join(errNoAnswer, err)
	}
	return err
}

// send is try for a request with a body, which must move and then be answered.
func (b *Blobs) send(ctx context.Context, data []byte, do func(ctx context.Context, body io.Reader) error) error {
	limit := b.answerTime + time.Duration(len(data))*time.Second/storeRate
	return b.tryAlive(ctx, limit, func(ctx context.Context, alive func()) error {
		return do(ctx, &moving{r: bytes.NewReader(data), alive: alive})
	})
}

// moving is a body that tells when it is read from.
type moving struct {
	r     *bytes.Reader
	alive func()
}

func (m *moving) Read(p []byte) (int, error) {
	m.alive()
	return m.r.Read(p)
}

func (m *moving) Seek(offset int64, whence int) (int64, error) { return m.r.Seek(offset, whence) }

// lasting are errors that come again however often one asks.
var lasting = []string{"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken", "NotImplemented"}

// passing tells whether the next attempt may fare better.
func passing(err error) bool {
	var r minio.ErrorResponse
	if errors.As(err, &r) {
		switch {
		case slices.Contains(lasting, r.Code) || r.StatusCode == http.StatusNotImplemented:
			return false
		case r.StatusCode >= 500 || r.StatusCode == http.StatusTooManyRequests || r.StatusCode == http.StatusRequestTimeout:
			return true
		}
		return r.Code == "RequestTimeout" || r.Code == "SlowDown" || r.Code == "InternalError" || r.Code == "ServiceUnavailable"
	}
	var (
		authority x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
		hostname  x509.HostnameError
		record    tls.RecordHeaderError
	)
	return !errors.As(err, &authority) && !errors.As(err, &invalid) && !errors.As(err, &hostname) &&
		!errors.As(err, &record) && !errors.Is(err, errChanged) && !errors.Is(err, errNoRanges)
}
