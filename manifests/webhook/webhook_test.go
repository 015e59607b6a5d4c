package webhook_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/webhook"
)

var now = time.Unix(1_800_000_000, 0)

func secret(fill byte) webhook.Secret {
	return webhook.Secret(strings.Repeat(string(rune(fill)), 32))
}

func delivery(t testing.TB, secrets ...webhook.Secret) (http.Header, []byte) {
	t.Helper()
	body, err := webhook.Event{
		ID: webhook.ID("chat", 7), Event: "rollout.halt", At: manifests.At(now), Product: "phone", Subject: "43-abc", Who: "ana",
		Why: "boot loops", Detail: json.RawMessage(`{"stage":1}`),
	}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	webhook.Sign(h, secrets, "chat.7", now, body)
	return h, body
}

// The vector was computed with another implementation of Standard Webhooks:
// openssl dgst -sha256 -mac HMAC over id.timestamp.body.
func TestSignatureIsTheOneOfStandardWebhooks(t *testing.T) {
	s, err := webhook.ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	webhook.Sign(h, []webhook.Secret{s}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if got := h.Get("webhook-signature"); got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("signature %s", got)
	}
}

func TestDeliveryIsTakenOnce(t *testing.T) {
	h, body := delivery(t, secret('a'))
	var seen webhook.Memory
	e, err := webhook.Verify(secret('a'), h, body, now.Add(webhook.Tolerance), &seen)
	if err != nil || e.Event != "rollout.halt" || e.Product != "phone" || e.Why != "boot loops" || string(e.Detail) != `{"stage":1}` {
		t.Fatalf("%+v, %v", e, err)
	}
	if _, err := webhook.Verify(secret('a'), h, body, now, &seen); !errors.Is(err, webhook.ErrReplayed) {
		t.Errorf("again: %v", err)
	}
	webhook.Sign(h, []webhook.Secret{secret('a')}, "chat.7", now.Add(time.Hour), body)
	if _, err := webhook.Verify(secret('a'), h, body, now.Add(time.Hour), &seen); !errors.Is(err, webhook.ErrReplayed) {
		t.Errorf("signed anew an hour later: %v", err)
	}
	seen.GiveBack("chat.7")
	if _, err := webhook.Verify(secret('a'), h, body, now.Add(time.Hour), &seen); err != nil {
		t.Errorf("given back: %v", err)
	}
}

func TestManyAtOnceTakeOne(t *testing.T) {
	h, body := delivery(t, secret('a'))
	var seen webhook.Memory
	var taken atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if _, err := webhook.Verify(secret('a'), h, body, now, &seen); err == nil {
				taken.Add(1)
			}
		})
	}
	if all.Wait(); taken.Load() != 1 {
		t.Errorf("taken %d times", taken.Load())
	}
}

func TestForgeriesAreRefused(t *testing.T) {
	type change func(h http.Header, body []byte) (http.Header, []byte)
	set := func(name, value string) change {
		return func(h http.Header, body []byte) (http.Header, []byte) { h.Set(name, value); return h, body }
	}
	for name, c := range map[string]struct {
		change change
		want   error
	}{
		"other body":        {func(h http.Header, b []byte) (http.Header, []byte) { return h, append(b, ' ') }, webhook.ErrForged},
		"other id":          {set(webhook.HeaderID, "chat.8"), webhook.ErrForged},
		"no id":             {set(webhook.HeaderID, ""), webhook.ErrForged},
		"other time":        {set(webhook.HeaderTimestamp, "1800000001"), webhook.ErrForged},
		"no signature":      {set(webhook.HeaderSignature, ""), webhook.ErrForged},
		"empty signature":   {set(webhook.HeaderSignature, "v1,"), webhook.ErrForged},
		"signature of zero": {set(webhook.HeaderSignature, "v1,"+base64.StdEncoding.EncodeToString(make([]byte, 32))), webhook.ErrForged},
		"long header": {func(h http.Header, b []byte) (http.Header, []byte) {
			h.Set(webhook.HeaderSignature, strings.Repeat("v1,x ", 200)+h.Get(webhook.HeaderSignature))
			return h, b
		}, webhook.ErrForged},
		"huge body": {func(h http.Header, _ []byte) (http.Header, []byte) {
			b := make([]byte, webhook.MaxBody+1)
			webhook.Sign(h, []webhook.Secret{secret('a')}, "chat.7", now, b)
			return h, b
		}, webhook.ErrForged},
		"other version": {func(h http.Header, b []byte) (http.Header, []byte) {
			h.Set(webhook.HeaderSignature, strings.Replace(h.Get(webhook.HeaderSignature), "v1,", "v2,", 1))
			return h, b
		}, webhook.ErrForged},
		"id of another body": {func(h http.Header, b []byte) (http.Header, []byte) {
			webhook.Sign(h, []webhook.Secret{secret('a')}, "chat.8", now, b)
			return h, b
		}, webhook.ErrForged},
		"six minutes old": {func(h http.Header, b []byte) (http.Header, []byte) {
			webhook.Sign(h, []webhook.Secret{secret('a')}, "chat.7", now.Add(-6*time.Minute), b)
			return h, b
		}, webhook.ErrStale},
		"six minutes ahead": {func(h http.Header, b []byte) (http.Header, []byte) {
			webhook.Sign(h, []webhook.Secret{secret('a')}, "chat.7", now.Add(6*time.Minute), b)
			return h, b
		}, webhook.ErrStale},
	} {
		t.Run(name, func(t *testing.T) {
			var seen webhook.Memory
			h, body := delivery(t, secret('a'))
			h, body = c.change(h, body)
			if _, err := webhook.Verify(secret('a'), h, body, now, &seen); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			h, body = delivery(t, secret('a')) // what was refused does not block the real one
			if _, err := webhook.Verify(secret('a'), h, body, now, &seen); err != nil {
				t.Errorf("the real one afterwards: %v", err)
			}
		})
	}
	h, body := delivery(t, secret('b'))
	if _, err := webhook.Verify(secret('a'), h, body, now, &webhook.Memory{}); !errors.Is(err, webhook.ErrForged) {
		t.Errorf("another secret: %v", err)
	}
	h, body = delivery(t, nil) // which everybody can make
	if _, err := webhook.Verify(nil, h, body, now, &webhook.Memory{}); !errors.Is(err, webhook.ErrForged) {
		t.Errorf("no secret: %v", err)
	}
}

func TestBothSecretsHoldWhileTheyAreChanged(t *testing.T) {
	h, body := delivery(t, secret('a'), secret('b'))
	for _, s := range []webhook.Secret{secret('a'), secret('b')} {
		if _, err := webhook.Verify(s, h, body, now, &webhook.Memory{}); err != nil {
			t.Error(err)
		}
	}
}

func TestSecretsAreReadStrictlyAndNotPrinted(t *testing.T) {
	good := "whsec_" + base64.StdEncoding.EncodeToString(secret('a'))
	if s, err := webhook.ParseSecrets([]byte("\n" + good + "\n" + good + "\n")); err != nil || len(s) != 2 {
		t.Errorf("%v, %v", s, err)
	}
	for _, bad := range []string{"", "\n", "whsec_", "whsec_c2hvcnQ=", good[6:], good + "x", good + "\n" + good + "\n" + good} {
		if s, err := webhook.ParseSecrets([]byte(bad)); err == nil {
			t.Errorf("%q: %v", bad, s)
		} else if len(bad) > 20 && strings.Contains(err.Error(), bad[6:20]) {
			t.Errorf("the error shows the secret: %v", err)
		}
	}
	if text := fmt.Sprint(secret('a')); strings.Contains(text, "aaa") || strings.Contains(text, "97 97") {
		t.Errorf("printed as %s", text)
	}
}

func TestTooLargeADetailIsLeftOut(t *testing.T) {
	e := webhook.Event{ID: "chat.1", Detail: json.RawMessage(`"` + strings.Repeat("x", webhook.MaxBody) + `"`)}
	if body, err := e.Encode(); err != nil || len(body) > 200 {
		t.Errorf("%d bytes, %v", len(body), err)
	}
}

func TestEventsAreAskedForByNameOrBeginning(t *testing.T) {
	for _, c := range []struct {
		asked []string
		event string
		want  bool
	}{
		{nil, "rollout.halt", true},
		{[]string{"rollout.halt"}, "rollout.halt", true},
		{[]string{"rollout.halt"}, "rollout.halted", false},
		{[]string{"rollout.*"}, "rollout.halt", true},
		{[]string{"token.new", "rollout.*"}, "release.add", false},
	} {
		if webhook.Wanted(c.asked, c.event) != c.want {
			t.Errorf("%v asks for %s: %t", c.asked, c.event, !c.want)
		}
	}
}

func TestMemoryIsBoundedAndForgetsTheOldest(t *testing.T) {
	var m webhook.Memory
	for i := range 100_001 {
		if !m.Take(fmt.Sprint(i), now) {
			t.Fatal(i)
		}
	}
	if m.Take("100000", now) || !m.Take("0", now) {
		t.Error("the newest was forgotten, or the oldest was not")
	}
	if !m.Take("100000", now.Add(5*24*time.Hour)) {
		t.Error("still remembered after five days")
	}
}

// FuzzVerify looks for anything that is taken without the sender's signature.
func FuzzVerify(f *testing.F) {
	h, body := delivery(f, secret('a'))
	f.Add(h.Get(webhook.HeaderID), h.Get(webhook.HeaderTimestamp), h.Get(webhook.HeaderSignature), body)
	f.Add("chat.7", "1800000000", "v1,", []byte("{}"))
	f.Add("", "-1", "v1,AAAA v1,BBBB", []byte("{"))
	f.Fuzz(func(t *testing.T, id, timestamp, signature string, data []byte) {
		got := http.Header{}
		got.Set(webhook.HeaderID, id)
		got.Set(webhook.HeaderTimestamp, timestamp)
		got.Set(webhook.HeaderSignature, signature)
		_, err := webhook.Verify(secret('a'), got, data, now, &webhook.Memory{})
		genuine := id == "chat.7" && timestamp == h.Get(webhook.HeaderTimestamp) && string(data) == string(body)
		if err == nil && !genuine {
			t.Errorf("taken: %q %q %q %q", id, timestamp, signature, data)
		}
		webhook.Sign(got, []webhook.Secret{secret('a')}, id, now, data) // signed, so it is parsed
		if e, err := webhook.Verify(secret('a'), got, data, now, &webhook.Memory{}); err == nil && e.ID != id {
			t.Errorf("%q passed for %q", e.ID, id)
		}
	})
}
