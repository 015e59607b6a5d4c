package publish_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/store/s3"
	"github.com/candor-ota/candor/server/store/storetest"
)

// bucketDays are the bad days of a bucket, with what the error says.
var bucketDays = []struct {
	fault storetest.Fault
	words string
}{
	{storetest.Fault{Status: 403, Code: "AccessDenied"}, "the service forbids it"},
	{storetest.Fault{Status: 400, Code: "ExpiredToken"}, "the credentials have expired"},
	{storetest.Fault{Status: 403, Code: "RequestTimeTooSkewed"}, "the clocks"},
	{storetest.Fault{Status: 404, Code: "NoSuchBucket"}, "no such bucket"},
	{storetest.Fault{Status: 500, Code: "InternalError"}, "failed on its side"},
	{storetest.Fault{Status: 503, Code: "SlowDown"}, "overloaded"},
	{storetest.Fault{Hang: true}, "did not answer in time"},
	{storetest.Fault{Lost: true}, "bucket bucket-"},
	{storetest.Fault{Half: true}, "bucket bucket-"},
}

// Whatever a bucket does, readers see the state before or after, the error
// says what it did, and the first try after it has come back publishes.
func TestPublishSurvivesTheBucketsBadDays(t *testing.T) {
	server := storetest.StartS3(t)
	// What fails: everything, or the writes of names from one on.
	for what, from := range map[string]string{"all": "", "metadata": "metadata/", "timestamp": "timestamp.json"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel() // nearly all of it is waiting before the next try
			survive(t, server, "bucket-"+what, from)
		})
	}
}

func survive(t *testing.T, server *storetest.S3, bucket, from string) {
	c := server.Config(t, bucket)
	proxy := server.Faulty(t)
	blobs, err := s3.New(t.Context(), proxy.Through(c))
	if err != nil {
		t.Fatal(err)
	}
	direct, err := s3.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.reader.Blobs, w.rollouts.builds = direct, []manifests.Build{42}
	p, err := w.open(w.ledger, blobs)
	w.must(err)
	for _, s := range []publish.Submission{w.makers.Init(), w.makers.Product(phone), w.makers.Add(w.makers.Release(42))} {
		_, err := submit(p, s)
		w.must(err)
	}
	before, longest := w.read(), time.Duration(0)
	for turn, day := range bucketDays {
		w.rollouts.state = []rollout.State{rollout.Held, rollout.Active}[turn%2]
		proxy.Set(func(r *http.Request) storetest.Fault {
			if strings.Contains(r.URL.Path, from) && (from == "" || r.Method != http.MethodHead) {
				return day.fault
			}
			return storetest.Fault{}
		})
		err := p.Publish(ctx)
		if err != nil && !strings.Contains(err.Error(), day.words) {
			t.Errorf("%q: %v", day.words, err)
		}
		if doc := w.read(); doc.Counter != before.Counter && doc.Counter != before.Counter+1 {
			t.Errorf("%q: document %d after %d", day.words, doc.Counter, before.Counter)
		}
		proxy.Set(nil)
		ended := time.Now()
		w.must(p.Publish(ctx))
		longest = max(longest, time.Since(ended))
		doc := w.read()
		if doc.Counter != before.Counter+1 || doc.Rollouts[0].State != w.rollouts.state {
			t.Errorf("%q: after it ended: document %d after %d", day.words, doc.Counter, before.Counter)
		}
		before = doc
	}
	storetest.RecoveredIn(t, "publishing, after the longest of 9 bad days of the bucket: 403, 404, 500, 503, hung, lost, half", longest)
}
