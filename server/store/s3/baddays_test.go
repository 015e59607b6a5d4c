package s3_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/s3"
	"github.com/candor-ota/candor/server/store/storetest"
)

// How long an answer is waited for: until the proxy says that a request hangs,
// and by the real clock.
const (
	calm      = 0
	impatient = 1500 * time.Millisecond
)

// badDays is a real bucket behind a proxy that fails as it is told.
type badDays struct {
	*storetest.Faulty
	blobs  *s3.Blobs
	direct *s3.Blobs // the same bucket without the proxy
}

func openBadDays(t *testing.T, answer time.Duration) *badDays {
	t.Helper()
	return badDaysOf(t, storetest.StartS3(t), "bucket", answer)
}

func badDaysOf(t *testing.T, server *storetest.S3, bucket string, answer time.Duration) *badDays {
	t.Helper()
	c := server.Config(t, bucket)
	c.PartSize, c.Prefix, c.AnswerTime = smallPart, "candor/", answer
	d := &badDays{Faulty: server.Faulty(t)}
	var err error
	if d.direct, err = s3.New(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if d.blobs, err = s3.New(t.Context(), d.Through(c)); err != nil {
		t.Fatal(err)
	}
	d.Log()
	return d
}

// first makes only the first request that fits fail.
func first(f storetest.Fault, fits func(*http.Request) bool) func(*http.Request) storetest.Fault {
	done := false
	return func(r *http.Request) storetest.Fault {
		if done || !fits(r) {
			return storetest.Fault{}
		}
		done = true
		return f
	}
}

func any1(*http.Request) bool { return true }

func method(m string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == m }
}

func read(t *testing.T, b *s3.Blobs, key string) []byte {
	t.Helper()
	r, _, err := b.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return data
}

func listed(t *testing.T, b *s3.Blobs) (keys []string) {
	t.Helper()
	for info, err := range b.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	return keys
}

func large(fill byte) []byte { return bytes.Repeat([]byte{fill}, smallPart*2+16) }

// The library's own way to send a large object silently overwrites; ours asks
// for the condition where the parts are put together.
func TestSecondCreateOfALargeObjectRefused(t *testing.T) {
	d := openBadDays(t, calm)
	if err := store.PutBytes(t.Context(), d.blobs, "x", large('a')); err != nil {
		t.Fatal(err)
	}
	// Whoever looks first sees nothing, as a writer at the same moment would.
	d.Set(first(storetest.Fault{Status: http.StatusNotFound, Code: "NoSuchKey"}, method(http.MethodHead)))
	err := store.PutBytes(t.Context(), d.blobs, "x", large('b'))
	if !errors.Is(err, store.ErrExists) {
		t.Errorf("got %v; want ErrExists", err)
	}
	sent := strings.Join(d.Log(), "\n")
	if !strings.Contains(sent, "POST ") || strings.Count(sent, "PUT ") < 3 {
		t.Errorf("it was not sent in parts:\n%s", sent)
	}
	if !bytes.Equal(read(t, d.direct, "x"), large('a')) {
		t.Error("the first bytes were overwritten")
	}
}

func TestFaultsThatPassAreRepeated(t *testing.T) {
	server := storetest.StartS3(t)
	for name, fault := range map[string]storetest.Fault{
		"500":       {Status: 500, Code: "InternalError"},
		"503":       {Status: 503, Code: "SlowDown"},
		"lost":      {Lost: true},
		"slow":      {Hang: true},
		"half-body": {Half: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // nearly all of it is waiting before the next try
			d := badDaysOf(t, server, "bucket-"+name, calm)
			for i, size := range []int{5, len(large('a'))} {
				key, data := name+"/"+string(rune('a'+i)), bytes.Repeat([]byte(name[:1]), size)
				for _, m := range []string{http.MethodHead, http.MethodPut, http.MethodPost} {
					d.Set(first(fault, method(m)))
					if err := store.PutBytes(t.Context(), d.blobs, key+strings.ToLower(m), data); err != nil {
						t.Errorf("put of %d bytes, %s fails once: %v", size, m, err)
					}
				}
				d.Set(first(fault, method(http.MethodGet)))
				if got := read(t, d.blobs, key+"put"); !bytes.Equal(got, data) {
					t.Errorf("%d bytes read of %d, or others", len(got), size)
				}
			}
			d.Set(first(fault, any1))
			tag, err := d.blobs.Replace(t.Context(), name+"/head", []byte("1"), "")
			if err != nil {
				t.Fatal(err)
			}
			d.Set(first(fault, any1))
			if tag, err = d.blobs.Replace(t.Context(), name+"/head", []byte("2"), tag); err != nil {
				t.Fatal(err)
			}
			d.Set(first(fault, any1))
			if data, now, err := d.blobs.Load(t.Context(), name+"/head"); err != nil || string(data) != "2" || now != tag {
				t.Errorf("head %q at %q, %v", data, now, err)
			}
			d.Set(first(fault, any1))
			if err := d.blobs.Delete(t.Context(), name+"/head"); err != nil {
				t.Error(err)
			}
			d.Set(first(fault, any1))
			if got := listed(t, d.blobs); len(got) != 6 {
				t.Errorf("listed %q", got)
			}
			d.Set(first(fault, any1))
			if _, err := d.blobs.AbortStale(t.Context(), time.Now()); err != nil {
				t.Error(err)
			}
			d.Set(first(fault, any1))
			if _, _, err := d.blobs.Removes(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestErrorsNameBucketObjectAndCause(t *testing.T) {
	d := openBadDays(t, calm)
	for _, c := range []struct {
		status      int
		code, words string
	}{
		{403, "AccessDenied", "the service forbids it; give this access key the rights"},
		{403, "InvalidAccessKeyId", "does not know this access key; check s3.accessKeyFile"},
		{403, "SignatureDoesNotMatch", "check s3.secretKeyFile"},
		{400, "ExpiredToken", "the credentials have expired"},
		{403, "RequestTimeTooSkewed", "the clocks of this machine and of the service differ too much"},
		{400, "AuthorizationHeaderMalformed", "another region; set s3.region"},
		{404, "NoSuchBucket", "no such bucket any more"},
		{500, "InternalError", "failed on its side"},
		{503, "SlowDown", "overloaded"},
		{507, "QuotaExceeded", "the bucket is full"},
		{418, "Teapot", "the service answered 418 Teapot"},
	} {
		d.Set(func(*http.Request) storetest.Fault { return storetest.Fault{Status: c.status, Code: c.code} })
		d.Log()
		_, err := d.blobs.Stat(t.Context(), "a/x")
		if err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", c.code, err)
			continue
		}
		for _, words := range []string{"candor/a/x", "bucket bucket", c.words, c.code} {
			if !strings.Contains(err.Error(), words) {
				t.Errorf("%q is not in: %v", words, err)
			}
		}
		if n, passes := len(d.Log()), c.status >= 500; passes != (n > 1) || n > 4 {
			t.Errorf("%s: asked %d times", c.code, n)
		}
	}
}

func TestHangingServiceIsGivenUpAndNotWaitedForAfterwards(t *testing.T) {
	d := openBadDays(t, impatient)
	d.Set(func(*http.Request) storetest.Fault { return storetest.Fault{Hang: true} })
	_, err := d.blobs.Stat(t.Context(), "x")
	if err == nil || !strings.Contains(err.Error(), "did not answer in time") {
		t.Errorf("got %v", err)
	}
	if n := len(d.Log()); n != 4 {
		t.Errorf("asked %d times; want 4", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	d.Set(func(*http.Request) storetest.Fault { cancel(); return storetest.Fault{Hang: true} })
	if err := store.PutBytes(ctx, d.blobs, "x", []byte("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v; want the caller's word", err)
	}
	if n := len(d.Log()); n != 1 {
		t.Errorf("asked %d times after the caller went away", n)
	}
	d.Set(nil)
	ended := time.Now()
	if err := store.PutBytes(t.Context(), d.blobs, "x", []byte("x")); err != nil {
		t.Errorf("the cause is over: %v", err)
	}
	storetest.Recovered(t, "the bucket did not answer", ended)
}

func TestHalfABodyIsResumedWhereItEnded(t *testing.T) {
	d := openBadDays(t, calm)
	data := large('a')
	data[len(data)-1] = 'z'
	if err := store.PutBytes(t.Context(), d.blobs, "x", data); err != nil {
		t.Fatal(err)
	}
	d.Log()
	d.Set(first(storetest.Fault{Half: true}, method(http.MethodGet)))
	if !bytes.Equal(read(t, d.blobs, "x"), data) {
		t.Error("other bytes")
	}
	log := d.Log()
	if len(log) != 3 || !strings.Contains(log[2], "bytes=") || strings.Contains(log[2], "bytes=0-") {
		t.Errorf("requests: %q", log)
	}
	d.Set(nil)
	r, _, err := d.blobs.Open(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	// Replaced meanwhile: what is resumed must not be the end of another object.
	if err := d.direct.Delete(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 10)
	if err := store.PutBytes(t.Context(), d.direct, "x", large('b')); err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadFull(r, buffer)
	if err == nil || !strings.Contains(err.Error(), "it changed while it was read") {
		t.Errorf("got %v and %q", err, buffer)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestServiceThatIgnoresRangesRefused(t *testing.T) {
	d := openBadDays(t, calm)
	if err := store.PutBytes(t.Context(), d.blobs, "x", []byte("0123456789")); err != nil {
		t.Fatal(err)
	}
	d.Set(func(r *http.Request) storetest.Fault {
		if r.Method == http.MethodGet {
			return storetest.Fault{Body: []byte("0123456789")}
		}
		return storetest.Fault{}
	})
	r, _, err := d.blobs.Open(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Seek(5, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if n, err := r.Read(make([]byte, 5)); err == nil || n > 0 || !strings.Contains(err.Error(), "ranges") {
		t.Errorf("%d bytes from the wrong place, %v", n, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestPartsOfADeadProcessAreDropped(t *testing.T) {
	d := openBadDays(t, calm)
	d.Set(func(r *http.Request) storetest.Fault {
		if r.Method == http.MethodDelete || r.URL.Query().Get("partNumber") == "2" {
			return storetest.Fault{Status: 403, Code: "AccessDenied"}
		}
		return storetest.Fault{}
	})
	err := store.PutBytes(t.Context(), d.blobs, "x", large('a'))
	if err == nil || !strings.Contains(err.Error(), "parts were left in the bucket") {
		t.Fatalf("got %v", err)
	}
	d.Set(nil)
	for _, c := range []struct {
		before time.Duration
		want   int
	}{{-time.Hour, 0}, {time.Hour, 1}, {time.Hour, 0}} {
		n, err := d.blobs.AbortStale(t.Context(), time.Now().Add(c.before))
		if err != nil || n != c.want {
			t.Errorf("dropped %d, %v; want %d", n, err, c.want)
		}
	}
}
