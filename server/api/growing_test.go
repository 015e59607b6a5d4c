package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/rollout"
	"github.com/candor-ota/candor/server/store"
)

// tallied is a ledger that counts the rows of rollouts and releases that it
// hands out, one for a look that finds none.
type tallied struct {
	store.Ledger
	rows int
}

func tally[T any](l *tallied, list []T, err error) ([]T, error) {
	l.rows += max(len(list), 1)
	return list, err
}

func (l *tallied) Rollouts(ctx context.Context, p manifests.Product) ([]store.Rollout, error) {
	list, err := l.Ledger.Rollouts(ctx, p)
	return tally(l, list, err)
}

func (l *tallied) RolloutPage(ctx context.Context, q store.RolloutQuery) ([]store.Rollout, error) {
	list, err := l.Ledger.RolloutPage(ctx, q)
	return tally(l, list, err)
}

func (l *tallied) RolloutsBelow(ctx context.Context, ref vote.Ref, states []string, limit int) ([]store.Rollout, error) {
	list, err := l.Ledger.RolloutsBelow(ctx, ref, states, limit)
	return tally(l, list, err)
}

func (l *tallied) Releases(ctx context.Context, p manifests.Product) ([]store.Release, error) {
	list, err := l.Ledger.Releases(ctx, p)
	return tally(l, list, err)
}

func (l *tallied) NewestReleases(ctx context.Context, p manifests.Product, n int) ([]store.Release, error) {
	list, err := l.Ledger.NewestReleases(ctx, p, n)
	return tally(l, list, err)
}

func (l *tallied) Release(ctx context.Context, ref vote.Ref) (store.Release, error) {
	l.rows++
	return l.Ledger.Release(ctx, ref)
}

// history adds rollouts that are over, of the plan of one that is, and releases
// that were withdrawn.
func (w *world) history(of string, from, n int) {
	w.t.Helper()
	row, err := w.ledger.Rollout(ctx, of)
	w.must(err)
	release, err := w.ledger.Release(ctx, vote.Ref{Product: row.Product, Build: row.Build})
	w.must(err)
	for i := from; i < from+n; i++ {
		release.Build, release.State = manifests.Build(i+1), store.ReleaseWithdrawn
		release.Path = fmt.Sprintf("releases/phone/%d.json", release.Build)
		w.must(w.ledger.AddRelease(ctx, release, store.Entry{At: w.now(), Who: "test", What: "test"}))
		row.ID = fmt.Sprintf("%s-%d", of, i)
		_, err := w.ledger.AddRollout(ctx, row, store.Entry{At: w.now(), Who: "test", What: "test"})
		w.must(err)
	}
}

// newTallied makes a world whose reads are counted, with two releases and an
// abandoned rollout, of which history makes many.
func newTallied(t *testing.T) (w *world, l *tallied, old string) {
	t.Helper()
	w = newWorld(t, func(w *world) {
		w.around = func(inner store.Ledger) store.Ledger {
			l = &tallied{Ledger: inner}
			return l
		}
	})
	w.prepare(1042, 1043)
	old = w.change(w.rollout(1042).Id, "abandon", "never mind").Id
	w.wait(time.Minute)
	return w, l, old
}

// What people and machines ask for again and again reads as much of a long
// history as of a short one.
func TestWhatIsReadDoesNotGrowWithTheHistory(t *testing.T) {
	w, l, old := newTallied(t)
	beta := plan(1043)
	beta["channel"] = "beta"
	id := get[contract.Rollout](w, auth.Operator, "POST", "/v1/rollouts", beta).Id
	w.change(id, "start", "")
	reads := map[string]func(){"figures": func() {
		rec := httptest.NewRecorder()
		w.api.Admin().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		if rec.Code != http.StatusOK {
			t.Errorf("figures: %d", rec.Code)
		}
	}}
	for _, path := range []string{
		"/v1/products/phone/releases/1043", "/v1/rollouts?channel=beta&limit=20", "/v1/rollouts?channel=beta&product=phone&limit=20",
		"/v1/rollouts?channel=stable&limit=5", "/v1/rollouts?open=true&limit=20", "/v1/overview",
	} {
		reads[path] = func() {
			if status, _, body := w.call(auth.Viewer, "GET", path, nil); status != http.StatusOK {
				t.Errorf("%s: %d %s", path, status, body)
			}
		}
	}
	short := map[string]int{}
	w.history(old, 0, 20)
	for name, read := range reads {
		read() // what a server reads once
		l.rows = 0
		read()
		short[name] = l.rows
	}
	w.history(old, 20, 200)
	for name, read := range reads {
		l.rows = 0
		if read(); l.rows != short[name] || l.rows == 0 || l.rows > 30 {
			t.Errorf("%s reads %d rows of a long history, %d of a short one", name, l.rows, short[name])
		}
	}
}

// The engine looks every ten seconds, asks at each token for a young handset,
// and settles at each change: it reads the rollouts that these are about.
func TestEngineReadsWhatItNeedsHoweverLongTheHistory(t *testing.T) {
	w, l, old := newTallied(t)
	id := w.rollout(1043).Id
	w.change(id, "start", "")
	rival := w.rollout(1043).Id
	engine, ref, li := w.api.Rollouts, vote.Ref{Product: "phone", Build: 1043}, rollout.Person{ID: "li", Name: "Li"}
	made, err := engine.Get(ctx, manifests.Name(id))
	w.must(err)
	again := made.Plan
	reads := map[string]func() error{
		"a look":             func() error { return engine.Tick(ctx) },
		"settling":           func() error { return engine.Settle(ctx) },
		"a first stage":      func() error { _, err := engine.FirstStage(ctx, ref); return err },
		"whether it is over": func() error { _, err := engine.Over(ctx, ref); return err },
		"a repeated draft":   func() error { _, err := engine.CreateOnce(ctx, manifests.SHA256{1}, li, &again); return err },
		"the document":       func() error { _, err := engine.Rollouts(ctx, ref.Product, nil); return err },
		"a start": func() error {
			_, err := engine.Change(ctx, rollout.Change{ID: manifests.Name(rival), Action: rollout.Start, By: li})
			if refused := (*rollout.Refusal)(nil); !errors.As(err, &refused) {
				return fmt.Errorf("started beside another: %w", err)
			}
			return nil
		},
	}
	short := map[string]int{}
	measure := func(name string) int {
		l.rows = 0
		if err := reads[name](); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return l.rows
	}
	w.history(old, 0, 20)
	for name := range reads {
		measure(name) // a draft is made once
	}
	for name := range reads {
		short[name] = measure(name)
	}
	w.history(old, 20, 200)
	for name := range reads {
		if n := measure(name); n != short[name] || n == 0 || n > 10 {
			t.Errorf("%s reads %d rows of a long history, %d of a short one", name, n, short[name])
		}
	}
}

// What was halted and withdrawn is published no more: it must not count for ever
// against what a document holds.
func TestWithdrawnBuildsLeaveRoomForStarts(t *testing.T) {
	w := newWorld(t)
	w.prepare(1042, 1043)
	bad := w.rollout(1042).Id
	w.change(bad, "start", "")
	w.change(bad, "halt", "boot loops")
	w.history(bad, 0, 70)
	id := w.rollout(1043).Id
	status, _, body := w.call(auth.Operator, "POST", "/v1/rollouts/"+id+"/start", map[string]any{})
	if status != http.StatusConflict || !strings.Contains(string(body), "71 rollouts are published; have halted builds withdrawn first") {
		t.Errorf("%d %s", status, body)
	}
	w.submit(w.Withdraw(phone, 1042))
	if got := w.change(id, "start", ""); got.State != contract.Active {
		t.Errorf("%+v", got)
	}
}

// A document is read when a tree first has it: not at the next page, nor at the
// next publishing, and once by a server that was started anew.
func TestReleaseDocumentsAreReadOnceForTheirImages(t *testing.T) {
	w := ready(t, 41, 42, 43)
	parsed := func(want int) {
		t.Helper()
		for range 3 {
			w.release43(auth.Viewer)
		}
		if n := w.api.DocumentsParsed(); n != want {
			t.Errorf("%d documents were read, not %d", n, want)
		}
	}
	parsed(3)
	w.change(w.rollout(43).Id, "start", "")
	parsed(3)
	w.submit(w.Add(w.Release(44)))
	parsed(4)
	w.submit(w.Withdraw(phone, 42))
	parsed(4)
	w.stop()
	w.start()
	parsed(3)
}

// Who may read one product is shown its newest, however many of others are newer.
func TestOtherProductsTakeNobodysPlaceOnAPage(t *testing.T) {
	h := withTokens(t)
	h.prepare(42)
	id := h.rollout(42).Id
	h.change(id, "start", "")
	h.must(h.ledger.AddProduct(ctx, store.Product{Name: "clock", Created: h.now()}, store.Entry{At: h.now(), Who: "test", What: "test"}))
	row, err := h.ledger.Rollout(ctx, id)
	h.must(err)
	release, err := h.ledger.Release(ctx, vote.Ref{Product: phone, Build: 42})
	h.must(err)
	release.Product = "clock"
	h.must(h.ledger.AddRelease(ctx, release, store.Entry{At: h.now(), Who: "test", What: "test"}))
	for i := range 210 {
		row.ID, row.Product, row.Created = fmt.Sprintf("42-c%d", i), "clock", h.now().Add(time.Hour)
		_, err := h.ledger.AddRollout(ctx, row, store.Entry{At: h.now(), Who: "test", What: "test"})
		h.must(err)
	}
	h.limitedTo(auth.Viewer, phone)
	list := get[contract.RolloutList](h.world, auth.Viewer, "GET", "/v1/rollouts?limit=5", nil)
	if len(list.Rollouts) != 1 || list.Rollouts[0].Id != id || list.Next != nil {
		t.Errorf("%+v", list)
	}
	if o := h.overview(auth.Viewer); len(o.Products) != 1 || len(o.Products[0].Rollouts) != 1 {
		t.Errorf("%+v", o.Products)
	}
}
