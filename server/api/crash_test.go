package api_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/rollout"
	"github.com/candor-ota/candor/server/store"
)

// dead leaves the leases of a process that was killed while it published.
func (w *world) dead() {
	w.t.Helper()
	for _, name := range []string{publish.LeaseName, rollout.LeaseName} {
		_, err := w.ledger.Acquire(ctx, store.LeaseRequest{Name: name, Holder: "killed", Now: w.now(), For: time.Minute})
		w.must(err)
	}
}

func TestNobodyWaitsForADeadProcess(t *testing.T) {
	w := ready(t, 42)
	id := w.change(w.rollout(42).Id, "start", "").Id
	w.cast(42, looped, 10)
	w.dead()
	w.stop()
	w.start()
	w.change(id, "pause", "look at it")
	w.tick()
	if got := w.look(id); got.State != contract.Halted {
		t.Errorf("%s", got.State)
	}
}

func TestStartPublishesWhatACrashLeftUnpublished(t *testing.T) {
	w := ready(t, 42)
	id := w.change(w.rollout(42).Id, "start", "").Id
	o := w.api.Rollouts.Options
	o.Publish = func(context.Context) error { return errors.New("killed") }
	who := rollout.Person{ID: "local:operator", Name: "operator"}
	if _, err := rollout.New(o).Change(ctx, rollout.Change{ID: manifests.Name(id), Action: rollout.Halt, By: who, Reason: "bricks"}); !errors.Is(err, rollout.ErrUnpublished) {
		t.Fatal(err)
	}
	w.stop()
	w.start()
	if d := w.document(); d.Rollouts[0].State != policy.Halted {
		t.Errorf("handsets read %+v", d.Rollouts)
	}
}

// An answer that was lost with the process is made up from what was made: a
// second advance would open another stage.
func TestChangeWhoseAnswerWasLostIsMadeOnce(t *testing.T) {
	w := ready(t, 42)
	var id, create string
	p := plan(42)
	p["stages"] = []map[string]any{{"sharePPM": 10_000, "soak": "0s"}, {"sharePPM": 20_000, "soak": "0s"}, {"sharePPM": 30_000, "soak": "0s"}}
	w.wait(25 * time.Hour)
	lose := func(path string, body any, key string) {
		t.Helper()
		w.over(&crashing{Ledger: w.ledger, finish: func() error { return errors.New("killed") }})
		if status, _, data := w.call(auth.Operator, "POST", path, body, "Idempotency-Key", key); status >= 300 {
			t.Fatalf("%d %s", status, data)
		}
		w.over(w.ledger)
		w.wait(store.ClaimLife + time.Second)
	}
	lose("/v1/rollouts", p, "c")
	create = get[contract.Rollout](w, auth.Operator, "POST", "/v1/rollouts", p, "Idempotency-Key", "c").Id
	if list := get[contract.RolloutList](w, auth.Viewer, "GET", "/v1/rollouts", nil).Rollouts; len(list) != 1 || list[0].Id != create {
		t.Fatalf("%d rollouts", len(list))
	}
	id = w.change(create, "start", "").Id
	body := map[string]string{"reason": ahead}
	lose("/v1/rollouts/"+id+"/advance", body, "a")
	if got := get[contract.Rollout](w, auth.Operator, "POST", "/v1/rollouts/"+id+"/advance", body, "Idempotency-Key", "a"); got.Stage != 1 || w.entries("rollout.advance") != 1 {
		t.Errorf("stage %d, advanced %d times", got.Stage, w.entries("rollout.advance"))
	}
}

// rushed is a ledger on which somebody else always changes a rollout first, a
// few times.
type rushed struct {
	store.Ledger
	mu   sync.Mutex
	left int
}

func (l *rushed) UpdateRollout(ctx context.Context, r store.Rollout, e store.Entry) (store.Rollout, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.What == "rollout.superseded" && l.left > 0 {
		l.left--
		return r, store.ErrStale
	}
	return l.Ledger.UpdateRollout(ctx, r, e)
}

// A change that is made is never answered with what befell another rollout.
func TestChangeThatIsMadeIsNotRefusedForAnother(t *testing.T) {
	w := ready(t, 42, 43)
	old := w.change(w.rollout(42).Id, "start", "").Id
	l := &rushed{Ledger: w.ledger, left: 3}
	w.over(l)
	id := w.rollout(43).Id
	w.change(id, "start", "")
	if got := w.look(old); got.State != contract.Superseded {
		t.Errorf("%s", got.State)
	}
	l.left = 1000
	id = w.change(id, "halt", "bricks").Id
	p := plan(43)
	p["channel"] = "beta"
	older := plan(42)
	older["channel"] = "beta"
	first := get[contract.Rollout](w, auth.Operator, "POST", "/v1/rollouts", older).Id
	w.change(first, "start", "")
	second := get[contract.Rollout](w, auth.Operator, "POST", "/v1/rollouts", p).Id
	w.refused(503, contract.CodeBusy, auth.Operator, "POST", "/v1/rollouts/"+second+"/start", map[string]string{})
	if got := w.look(second); got.State != contract.Active || id == second {
		t.Errorf("%s", got.State)
	}
}

// An approval that was on its way when the engine halted is no wish to resume.
func TestApprovalOfAStageIsNoWishToResume(t *testing.T) {
	w := ready(t, 42)
	id := w.change(w.rollout(42).Id, "start", "").Id
	w.change(id, "halt", "bricks")
	w.refused(409, contract.CodeConflict, auth.Admin, "POST", "/v1/rollouts/"+id+"/approve", map[string]string{"reason": "stage 2 is fine"})
	if got := w.look(id); got.Resume != nil {
		t.Errorf("%+v", got.Resume)
	}
}
