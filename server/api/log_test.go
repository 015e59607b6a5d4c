package api_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/observe"
)

// lines gives the log since it was last read.
func (w *world) lines() []map[string]any {
	w.t.Helper()
	var out []map[string]any
	for line := range strings.Lines(w.log.String()) {
		var l map[string]any
		w.must(json.Unmarshal([]byte(line), &l))
		out = append(out, l)
	}
	w.log.Reset()
	return out
}

// inJSON has the log in JSON, with everything in it.
func inJSON(w *world) { w.logger = observe.Log(&w.log, "json", slog.LevelDebug) }

func TestEachChangeByAPersonIsOneLine(t *testing.T) {
	w := newWorld(t, inJSON)
	w.prepare(43)
	w.lines()
	r := w.rollout(43)
	_, header, _ := w.call(auth.Operator, "POST", "/v1/rollouts/"+r.Id+"/start", map[string]string{})
	w.call(auth.Viewer, "GET", "/v1/rollouts", nil)
	w.call(auth.Viewer, "POST", "/v1/rollouts/"+r.Id+"/halt", map[string]string{"reason": "no"}) // refused
	var changes []string
	for _, l := range w.lines() {
		if l["msg"] != "change" {
			continue
		}
		changes = append(changes, fmt.Sprint(l["what"]))
		if l["what"] == "rollout.start" && (header.Get("X-Request-Id") == "" || l["request"] != header.Get("X-Request-Id")) {
			t.Errorf("%v is not the request %s", l, header.Get("X-Request-Id"))
		}
		entries, err := w.ledger.AuditHead(ctx)
		w.must(err)
		if n, ok := l["audit"].(float64); !ok || n < 1 || int64(n) > entries.Seq {
			t.Errorf("%v names no entry", l)
		}
	}
	if fmt.Sprint(changes) != "[rollout.create rollout.start]" {
		t.Errorf("the lines are %v", changes)
	}
}

// TestLogHasNoPersonalData runs every operation with marked secrets, first on a
// healthy service and then on a broken one, which has more to complain about.
func TestLogHasNoPersonalData(t *testing.T) {
	w := newWorld(t, inJSON)
	w.prepare(43)
	w.cast(43, healthy, 1)
	h := w.voter(t)
	r := w.rollout(43)
	made := w.make(auth.Admin, map[string]any{"name": "MARKNAME", "role": "operator", "expires": "never"})
	w.bearer("marked", made.Token)
	h.says(43, healthy)
	all := func() {
		for _, o := range w.operations(r.Id) {
			for _, role := range []auth.Role{"", "marked", auth.Admin} {
				body := []byte(`{"reason":"MARKREASON","deviceKey":"` + hex.EncodeToString(h.id[:]) + `","name":"MARKNAME"}`)
				if o.method == "GET" || o.method == "DELETE" {
					body = nil
				}
				w.call(role, o.method, o.path+"?subject=MARKQUERY", body, "Cookie", "candor-session=MARKCOOKIE", "User-Agent", "MARKAGENT",
					"X-Forwarded-For", "203.0.113.7", "Idempotency-Key", "MARKKEY"+o.name)
			}
		}
		w.call("", "GET", "/v1/rollouts", nil, "Authorization", "Bearer MARKTOKEN")
		h.polls()
	}
	all()
	w.damage(`DROP TABLE enrolments; DROP TABLE vote_releases; DROP TABLE heads; DROP TABLE sessions; DROP TABLE idempotency; UPDATE rollouts SET document = '{'`)
	all()
	enrol := vote.EnrolRequest{DeviceKey: h.id, Credential: h.pem}
	enrol.Sign(h.credential)
	w.call("", "POST", "/v1/enrolments", enrol)
	w.call("", "POST", "/v1/votes", map[string]any{"product": "phone", "build": 43, "class": "trial", "set": "primary", "vote": healthy})
	log := w.log.String()
	if !strings.Contains(log, "request failed") {
		t.Fatalf("nothing failed, so nothing was tried: %s", log)
	}
	secrets := []string{"MARK", "203.0.113.7", "127.0.0.1", "127.0.0.1", "[::1]", hex.EncodeToString(h.id[:]), base64.StdEncoding.EncodeToString(h.id[:]), base64.RawURLEncoding.EncodeToString(h.id[:]), made.Token, "local:", "(token "}
	for _, token := range w.tokens {
		secrets = append(secrets, token)
	}
	for line := range strings.Lines(log) {
		for _, s := range secrets {
			if strings.Contains(line, s) {
				t.Errorf("the log has %q: %s", s, line)
			}
		}
	}
}
