package storetest

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/server/store"
)

func hookIsRemembered(t *testing.T, l store.Ledger) {
	for range 3 {
		_, err := l.Append(t.Context(), entry("before"))
		ok(t, err)
	}
	h, err := l.OpenHook(t.Context(), "chat")
	ok(t, err)
	if h.Position != 3 || h.Name != "chat" || h.Attempts != 0 {
		t.Errorf("a new hook: %+v", h)
	}
	_, err = l.Append(t.Context(), entry("after"))
	ok(t, err)
	if again, err := l.OpenHook(t.Context(), "chat"); err != nil || again.Position != 3 {
		t.Errorf("opened again: %+v, %v", again, err)
	}
	lease, err := l.Acquire(t.Context(), store.LeaseRequest{Name: "hook:chat", Holder: "a", Now: epoch, For: time.Minute})
	ok(t, err)
	h = store.Hook{
		Name: "chat", Position: 4, Delivered: 5, Failures: 6, GaveUp: 7, Attempts: 8, FailingSince: epoch,
		NextTry: epoch.Add(time.Hour), LastError: "500", DeliveredAt: epoch.Add(-time.Hour),
	}
	ok(t, l.SaveHook(t.Context(), lease, h, entry("hook.gave-up")))
	all, err := l.Hooks(t.Context())
	if ok(t, err); len(all) != 1 || !reflect.DeepEqual(all[0], h) {
		t.Errorf("got %+v", all)
	}
	if log, err := l.Entries(t.Context(), store.EntryQuery{After: 4}); err != nil || len(log) != 1 || log[0].What != "hook.gave-up" {
		t.Errorf("%+v, %v", log, err)
	}
	back := h
	back.Position = 3
	want(t, l.SaveHook(t.Context(), lease, back, entry("never")), store.ErrStale)
	h.LastError = strings.Repeat("é", store.MaxHookError)
	ok(t, l.SaveHook(t.Context(), lease, h, store.Entry{}))
	if all, err := l.Hooks(t.Context()); err != nil || len(all[0].LastError) > store.MaxHookError || len(all[0].LastError) < store.MaxHookError-1 {
		t.Errorf("%+v, %v", all, err)
	}
	_, err = l.Acquire(t.Context(), store.LeaseRequest{Name: "hook:chat", Holder: "b", Now: epoch.Add(time.Hour), For: time.Minute})
	ok(t, err)
	want(t, l.SaveHook(t.Context(), lease, h, entry("never")), store.ErrStale)
	if log, err := l.Entries(t.Context(), store.EntryQuery{After: 5}); err != nil || len(log) != 0 {
		t.Errorf("a refused write left %+v, %v", log, err)
	}
}
