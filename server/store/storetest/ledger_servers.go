package storetest

import (
	"reflect"
	"testing"
	"time"

	"github.com/candor-ota/candor/server/store"
)

func serversKnowOfEachOther(t *testing.T, l store.Ledger) {
	roll := l.(store.Servers)
	before, err := roll.Clock(t.Context())
	ok(t, err)
	a := store.Server{ID: "a", Home: "one", Name: "alpha", Program: "v1", Facts: map[string]string{"x": "1"}, Started: epoch}
	b := store.Server{ID: "b", Home: "two", Alone: true, Facts: map[string]string{}, Started: epoch}
	if got, err := roll.Announce(t.Context(), a); err != nil || len(got.Others) != 0 || got.Outdated || got.Now.Before(before) {
		t.Fatalf("%+v, %v", got, err)
	}
	got, err := roll.Announce(t.Context(), b)
	ok(t, err)
	if len(got.Others) != 1 {
		t.Fatalf("%+v", got)
	}
	seen := got.Others[0].Seen
	if got.Others[0].Seen = (time.Time{}); !reflect.DeepEqual(got.Others[0], a) || seen.After(got.Now) || got.Now.Sub(seen) > time.Minute {
		t.Errorf("%+v, seen %s", got.Others[0], seen)
	}
	a.Facts["x"] = "2"
	if got, err = roll.Announce(t.Context(), a); err != nil || len(got.Others) != 1 || !got.Others[0].Alone {
		t.Errorf("%+v, %v", got, err)
	}
	c := store.Server{ID: "c", Home: "one", Started: epoch} // where a was: a has ended
	if got, err = roll.Announce(t.Context(), c); err != nil || len(got.Others) != 1 || got.Others[0].ID != "b" {
		t.Errorf("%+v, %v", got, err)
	}
	ok(t, roll.Leave(t.Context(), "b"))
	ok(t, roll.Leave(t.Context(), "b"))
	if got, err = roll.Announce(t.Context(), c); err != nil || len(got.Others) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}
