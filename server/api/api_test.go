package api_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/release/releasetest"
)

func TestReleaseGoesFromUploadToTheWholeFleet(t *testing.T) {
	w := newWorld(t)
	w.submit(w.Init())
	w.submit(w.Product(phone))
	release := w.Add(w.Release(42))
	w.refused(422, contract.CodeMissingBlob, auth.Engineer, "POST", "/v1/submissions", submission(release))
	hash := manifests.SumSHA256(releasetest.Blob).String()
	up := get[contract.Upload](w, auth.Engineer, "POST", "/v1/uploads", contract.UploadRequest{Sha256: hash, Size: int64(len(releasetest.Blob))})
	up = get[contract.Upload](w, auth.Engineer, "PATCH", "/v1/uploads/"+up.Id, releasetest.Blob, "Upload-Offset", "0", "Content-Type", "application/octet-stream")
	if !up.Complete {
		t.Fatalf("%+v", up)
	}
	if got := w.submit(release); got.Snapshot < 3 || len(got.Accepted) != 2 {
		t.Errorf("%+v", got)
	}
	r := w.rollout(42)
	if r.State != contract.Draft || r.SharePPM != 0 || len(w.document().Rollouts) != 0 {
		t.Errorf("a draft is published: %+v", r)
	}
	if r = w.change(r.Id, "start", ""); r.State != contract.Active || r.SharePPM != 10_000 {
		t.Errorf("%+v", r)
	}
	w.refused(409, contract.CodeSoaking, auth.Operator, "POST", "/v1/rollouts/"+r.Id+"/advance", map[string]string{})
	w.wait(7 * time.Hour)
	if p := w.refused(409, contract.CodePace, auth.Operator, "POST", "/v1/rollouts/"+r.Id+"/advance", map[string]string{}); !strings.Contains(*p.Detail, "2014-08-11T12:00:00Z") {
		t.Errorf("does not say from when: %s", *p.Detail)
	}
	w.wait(20 * time.Hour)
	w.widen(r.Id)
	w.wait(7 * time.Hour)
	if r = w.change(r.Id, "advance", ahead); r.State != contract.Complete {
		t.Errorf("%+v", r)
	}
	if d := w.document(); d.Rollouts[0].State != policy.Complete || d.Rollouts[0].Share != manifests.WholeFleet {
		t.Errorf("%+v", d.Rollouts)
	}
	if list := get[contract.ReleaseList](w, auth.Viewer, "GET", "/v1/products/phone/releases", nil); len(list.Releases) != 1 || list.Releases[0].State != contract.Live {
		t.Errorf("%+v", list)
	}
}

func TestHaltIsPublishedAtOnceAndStaysAsATombstone(t *testing.T) {
	w := ready(t, 42)
	r := w.change(w.rollout(42).Id, "start", "")
	w.refused(400, contract.CodeReasonNeeded, auth.Operator, "POST", "/v1/rollouts/"+r.Id+"/halt", map[string]string{})
	w.change(r.Id, "halt", "bricks")
	if d := w.document(); len(d.Rollouts) != 1 || d.Rollouts[0].State != policy.Halted || d.Rollouts[0].Reason != "bricks" {
		t.Errorf("%+v", d)
	}
	w.change(r.Id, "halt", "bricks") // again is fine
	second := w.rollout(42)
	w.refused(409, contract.CodeConflict, auth.Operator, "POST", "/v1/rollouts/"+second.Id+"/start", map[string]string{})
	w.submit(w.Withdraw(phone, 42))
	if d := w.document(); len(d.Rollouts) != 0 {
		t.Errorf("%+v", d.Rollouts)
	}
	if got := get[contract.Rollout](w, auth.Viewer, "GET", "/v1/rollouts/"+second.Id, nil); got.State != contract.Abandoned {
		t.Errorf("a draft of a withdrawn build is %s", got.State)
	}
}

func TestNewerBuildSupersedesButLateComersKeepTheFix(t *testing.T) {
	w := ready(t, 42, 43)
	w.wait(25 * time.Hour)
	old := w.change(w.rollout(42).Id, "start", "")
	w.change(w.rollout(43).Id, "start", "")
	if got := get[contract.Rollout](w, auth.Viewer, "GET", "/v1/rollouts/"+old.Id, nil); got.State != contract.Superseded {
		t.Errorf("an active older rollout is %s", got.State)
	}
	if d := w.document(); len(d.Rollouts) != 1 || d.Rollouts[0].Build != 43 {
		t.Errorf("%+v", d.Rollouts)
	}
	w.submit(w.Add(w.Release(44)))
	complete := w.current(43)
	w.wait(25 * time.Hour)
	w.widen(complete)
	w.wait(25 * time.Hour)
	w.change(complete, "advance", ahead)
	w.change(w.rollout(44).Id, "start", "")
	if d := w.document(); len(d.Rollouts) != 2 || d.Rollouts[0].Build != 44 || d.Rollouts[1].State != policy.Complete {
		t.Errorf("%+v", d.Rollouts)
	}
	back := w.rollout(42)
	w.refused(409, contract.CodeConflict, auth.Operator, "POST", "/v1/rollouts/"+back.Id+"/start", map[string]string{})
}

// current is the newest rollout of a build.
func (w *world) current(build int64) string {
	w.t.Helper()
	for _, r := range get[contract.RolloutList](w, auth.Viewer, "GET", "/v1/rollouts?product=phone", nil).Rollouts {
		if r.Build == build {
			return r.Id
		}
	}
	w.t.Fatalf("no rollout of build %d", build)
	return ""
}

func TestStaleIfMatchRefused(t *testing.T) {
	w := ready(t, 42)
	r := w.rollout(42)
	_, h, _ := w.call(auth.Viewer, "GET", "/v1/rollouts/"+r.Id, nil)
	w.change(r.Id, "start", "", "If-Match", h.Get("ETag"))
	w.refused(412, contract.CodeStale, auth.Operator, "POST", "/v1/rollouts/"+r.Id+"/pause", map[string]string{"reason": "x"}, "If-Match", h.Get("ETag"))
}

func TestRolesAreChecked(t *testing.T) {
	w := ready(t, 42)
	id := w.rollout(42).Id
	for _, c := range []struct {
		role         auth.Role
		method, path string
		body         any
	}{
		{auth.Viewer, "POST", "/v1/rollouts/" + id + "/start", map[string]string{}},
		{auth.Viewer, "POST", "/v1/rollouts/" + id + "/halt", map[string]string{"reason": "x"}},
		{auth.Engineer, "POST", "/v1/rollouts/" + id + "/start", map[string]string{}},
		{auth.Engineer, "POST", "/v1/rollouts/" + id + "/approve", map[string]string{}},
		{auth.Engineer, "POST", "/v1/rollouts", plan(42)},
		{auth.Operator, "POST", "/v1/submissions", map[string]any{"metadata": map[string]string{}}},
		{auth.Viewer, "POST", "/v1/uploads", map[string]any{"sha256": strings.Repeat("0", 64), "size": 1}},
	} {
		w.refused(403, contract.CodeForbidden, c.role, c.method, c.path, c.body)
		w.refused(401, contract.CodeUnauthorized, "", c.method, c.path, c.body)
	}
	w.refused(401, contract.CodeUnauthorized, "", "GET", "/v1/products", nil)
}

func TestRequestsAreHeldAgainstTheContract(t *testing.T) {
	w := ready(t)
	w.refused(400, contract.CodeBadRequest, auth.Engineer, "POST", "/v1/uploads", map[string]any{"sha256": "x", "size": 1})
	w.refused(400, contract.CodeBadRequest, auth.Engineer, "POST", "/v1/uploads", map[string]any{"sha256": strings.Repeat("0", 64), "size": 1, "extra": 1})
	w.refused(400, contract.CodeBadRequest, auth.Operator, "POST", "/v1/rollouts/x/explode", map[string]string{})
	w.refused(400, contract.CodeBadRequest, auth.Operator, "POST", "/v1/rollouts", map[string]any{"product": "phone"})
	w.refused(400, contract.CodeBadRequest, auth.Viewer, "GET", "/v1/products/A/releases", nil)
	w.refused(404, contract.CodeNotFound, auth.Viewer, "GET", "/v1/rollouts/none", nil)
	w.refused(404, contract.CodeNotFound, auth.Viewer, "GET", "/v1/secrets", nil)
	w.refused(413, contract.CodeTooLarge, auth.Operator, "POST", "/v1/rollouts", bytes.Repeat([]byte(" "), 300<<10))
	w.refused(413, contract.CodeTooLarge, "", "POST", "/v1/votes", bytes.Repeat([]byte(" "), vote.MaxMessageBytes+1))
	w.refused(409, contract.CodeWrongOffset, auth.Engineer, "PATCH", "/v1/uploads/"+w.upload(), []byte("x"), "Upload-Offset", "5", "Content-Type", "application/octet-stream")
}

func (w *world) upload() string {
	w.t.Helper()
	return get[contract.Upload](w, auth.Engineer, "POST", "/v1/uploads", contract.UploadRequest{Sha256: strings.Repeat("0", 64), Size: 9}).Id
}

func TestWrongHashIsSaid(t *testing.T) {
	w := ready(t)
	w.refused(422, contract.CodeWrongHash, auth.Engineer, "PATCH", "/v1/uploads/"+w.upload(), []byte("123456789"), "Upload-Offset", "0", "Content-Type", "application/octet-stream")
}

func TestRefusalNamesFieldAndReason(t *testing.T) {
	w := ready(t)
	w.Signers = 1
	p := w.refused(422, contract.CodeNotVerified, auth.Engineer, "POST", "/v1/submissions", submission(w.NextReleases(phone)))
	if p.Field == nil || *p.Field != "2.releases-phone.json" || p.Detail == nil || !strings.Contains(*p.Detail, "signatures") {
		t.Errorf("%+v", p)
	}
}

func TestRestartKeepsEverything(t *testing.T) {
	w := ready(t, 42)
	r := w.change(w.rollout(42).Id, "start", "")
	_, before, _ := w.call("", "GET", "/metadata/timestamp.json", nil)
	w.stop()
	w.start()
	_, after, _ := w.call("", "GET", "/metadata/timestamp.json", nil)
	if before.Get("ETag") != after.Get("ETag") {
		t.Error("another timestamp after a restart")
	}
	if got := get[contract.Rollout](w, auth.Viewer, "GET", "/v1/rollouts/"+r.Id, nil); got.State != contract.Active || got.Version != r.Version {
		t.Errorf("%+v", got)
	}
	w.change(r.Id, "pause", "lunch")
	if d := w.document(); d.Rollouts[0].State != policy.Held {
		t.Errorf("%+v", d.Rollouts)
	}
}

func TestDevicePlaneLogsNoAddress(t *testing.T) {
	w := ready(t, 42)
	w.refused(400, contract.CodeBadRequest, "", "POST", "/v1/votes", map[string]any{"a": 1})
	w.refused(400, contract.CodeBadRequest, "", "POST", "/v1/enrolments", map[string]any{})
	w.refused(400, contract.CodeBadRequest, "", "POST", "/v1/tokens", map[string]any{})
	w.refused(400, contract.CodeBadRequest, "", "POST", "/v1/lab-reports", map[string]any{})
	if strings.Contains(w.log.String(), "127.0.0.1") {
		t.Errorf("the log holds an address:\n%s", w.log.String())
	}
	_, h, _ := w.call("", "POST", "/v1/votes", map[string]any{})
	if h.Get("Set-Cookie") != "" {
		t.Error("a cookie is set")
	}
}

func TestLabReportOfAnUnknownHandsetIsRefused(t *testing.T) {
	w := ready(t, 42)
	public, key, err := ed25519.GenerateKey(nil)
	w.must(err)
	v := vote.Vote{V: 1, Outcome: vote.InstalledHealthy, Reason: vote.None, FromClass: vote.FromPrevious, Attempts: vote.AttemptsOne, Duration: vote.UnderHour}
	r := &vote.LabReport{Product: phone, Build: 42, Class: vote.Trial, Vote: v, DeviceKey: vote.DeviceKey(public)}
	w.must(r.Sign(key))
	w.refused(403, contract.CodeNotEnrolled, "", "POST", "/v1/lab-reports", r)
}

func TestVoteKeysAreThoseOfTheMaster(t *testing.T) {
	w := ready(t)
	primary, _, err := vote.Master{1}.Rules(vote.Ref{Product: phone, Build: 9})
	w.must(err)
	got := get[contract.VoteKeys](w, auth.Viewer, "GET", "/v1/products/phone/releases/9/vote-keys", nil)
	text, err := json.Marshal(got.Primary)
	w.must(err)
	var have manifests.VoteKeySet
	w.must(json.Unmarshal(text, &have))
	if have != primary {
		t.Errorf("%s", text)
	}
}

func TestReadyOnceThereIsATree(t *testing.T) {
	w := newWorld(t)
	admin := httptest.NewServer(w.api.Admin())
	defer admin.Close()
	status := func(path string) int {
		resp, err := http.Get(admin.URL + path)
		w.must(err)
		w.must(resp.Body.Close())
		return resp.StatusCode
	}
	if status("/livez") != 200 || status("/readyz") != 503 {
		t.Error("ready without a tree")
	}
	w.submit(w.Init())
	if status("/readyz") != 200 || status("/metrics") != 200 {
		t.Error("not ready with a tree")
	}
	w.wait(72 * time.Hour)
	if status("/readyz") != 503 {
		t.Error("ready with an expired timestamp")
	}
}
