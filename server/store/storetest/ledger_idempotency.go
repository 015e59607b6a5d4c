package storetest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/store"
)

func keyedChange(key, request, claim string, at time.Duration) store.KeyedChange {
	return store.KeyedChange{
		Who: "ana", Key: manifests.SumSHA256([]byte(key)), Request: manifests.SumSHA256([]byte(request)), Claim: claim, Now: epoch.Add(at),
	}
}

func changeIsAnsweredOnce(t *testing.T, l store.Ledger) {
	first := keyedChange("k", "halt", "1", 0)
	if was, claimed, err := l.BeginChange(t.Context(), first); err != nil || !claimed || was.Status != 0 {
		t.Fatalf("%+v %t %v", was, claimed, err)
	}
	if was, claimed, err := l.BeginChange(t.Context(), keyedChange("k", "halt", "2", 59*time.Second)); err != nil || claimed || was.Status != 0 {
		t.Errorf("while it is made: %+v %t %v", was, claimed, err)
	}
	_, _, err := l.BeginChange(t.Context(), keyedChange("k", "resume", "3", time.Second))
	want(t, err, store.ErrConflict)
	other := keyedChange("k", "resume", "4", time.Second)
	other.Who = "ben"
	if _, claimed, err := l.BeginChange(t.Context(), other); err != nil || !claimed {
		t.Errorf("another person's key is his own: %t %v", claimed, err)
	}
	answer := store.Answer{Status: 200, Header: map[string]string{"ETag": `"2"`}, Body: []byte("halted\x00")}
	ok(t, l.FinishChange(t.Context(), first, answer))
	want(t, l.FinishChange(t.Context(), first, answer), store.ErrStale)
	ok(t, l.DropChange(t.Context(), first)) // has an answer: left alone
	was, claimed, err := l.BeginChange(t.Context(), keyedChange("k", "halt", "5", store.AnswerLife-time.Second))
	if err != nil || claimed || !reflect.DeepEqual(was, answer) {
		t.Errorf("%+v %t %v", was, claimed, err)
	}
	if _, claimed, err = l.BeginChange(t.Context(), keyedChange("k", "resume", "6", store.AnswerLife)); err != nil || !claimed {
		t.Errorf("after a day: %t %v", claimed, err)
	}
}

func claimPassesOnAfterACrash(t *testing.T, l store.Ledger) {
	crashed := keyedChange("k", "halt", "1", 0)
	_, _, err := l.BeginChange(t.Context(), crashed)
	ok(t, err)
	next := keyedChange("k", "halt", "2", store.ClaimLife)
	if _, claimed, err := l.BeginChange(t.Context(), next); err != nil || !claimed {
		t.Fatalf("%t %v", claimed, err)
	}
	want(t, l.FinishChange(t.Context(), crashed, store.Answer{Status: 200}), store.ErrStale)
	ok(t, l.DropChange(t.Context(), crashed)) // is no longer its claim
	ok(t, l.FinishChange(t.Context(), next, store.Answer{Status: 201}))
	gone := keyedChange("k2", "halt", "1", 0)
	_, _, err = l.BeginChange(t.Context(), gone)
	ok(t, err)
	ok(t, l.DropChange(t.Context(), gone))
	if _, claimed, err := l.BeginChange(t.Context(), keyedChange("k2", "resume", "2", 0)); err != nil || !claimed {
		t.Errorf("a dropped key: %t %v", claimed, err)
	}
}

func keptAnswersAreBounded(t *testing.T, l store.Ledger) {
	if won := many(t, store.ErrStale, func(i int) error {
		_, claimed, err := l.BeginChange(t.Context(), keyedChange("one", "halt", fmt.Sprint(i), 0))
		if err == nil && !claimed {
			err = store.ErrStale
		}
		return err
	}); won != 1 {
		t.Errorf("%d made one change", won)
	}
	for i := range store.MaxAnswers - 1 {
		_, _, err := l.BeginChange(t.Context(), keyedChange(fmt.Sprint(i), "halt", "x", 0))
		ok(t, err)
	}
	_, _, err := l.BeginChange(t.Context(), keyedChange("more", "halt", "x", 0))
	want(t, err, store.ErrFull)
	if _, claimed, err := l.BeginChange(t.Context(), keyedChange("more", "halt", "x", store.AnswerLife)); err != nil || !claimed {
		t.Errorf("after a day: %t %v", claimed, err)
	}
}
