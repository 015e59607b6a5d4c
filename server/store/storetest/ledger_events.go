package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

func testEvent(n int) store.Event {
	return store.Event{
		ID: fmt.Sprintf("%064x", n), Kind: "release", Product: "phone", Build: 43, State: store.EventOpen, Facts: json.RawMessage(`{"roles":1}`),
		Body: []byte(strings.Repeat("x", 100_000)), Expires: epoch.AddDate(0, 4, 0), Opened: epoch, OpenedBy: "Li (token)", Owner: "local:li", Changed: epoch,
	}
}

func word(key string, reject bool) store.EventWord {
	return store.EventWord{KeyID: key, Reject: reject, Said: json.RawMessage(`{"keyid":"` + key + `"}`), At: epoch, By: "li"}
}

func signingEventsAreKept(t *testing.T, l store.Ledger) {
	first := testEvent(1)
	first.Words = []store.EventWord{word("a", false)}
	got, err := l.AddEvent(t.Context(), first, entry("event.open"))
	if ok(t, err); got.Version != 1 || got.Sequence != 1 {
		t.Errorf("got %+v", got)
	}
	_, err = l.AddEvent(t.Context(), first, entry("event.open"))
	want(t, err, store.ErrExists)
	_, err = l.Event(t.Context(), testEvent(9).ID)
	want(t, err, store.ErrNotFound)
	ok(t, l.AddRemark(t.Context(), first.ID, store.EventRemark{At: epoch, By: "Wei", Person: "local:wei", Text: "looks wrong"}, entry("event.remark")))
	ok(t, l.AddRemark(t.Context(), first.ID, store.EventRemark{At: epoch, By: "Wei", Person: "local:wei", Text: "looks wrong"}, entry("event.remark")))
	whole, err := l.Event(t.Context(), first.ID)
	ok(t, err)
	first.Version, first.Sequence = 2, 1
	first.Remarks = []store.EventRemark{{Number: 1, At: epoch, By: "Wei", Person: "local:wei", Text: "looks wrong"}}
	if !reflect.DeepEqual(whole, first) {
		t.Errorf("got %+v, want %+v", whole, first)
	}
	for n := 2; n <= 4; n++ {
		_, err := l.AddEvent(t.Context(), testEvent(n), entry("event.open"))
		ok(t, err)
	}
	other := testEvent(5)
	other.Build, other.State = 44, store.EventOpen
	_, err = l.AddEvent(t.Context(), other, entry("event.open"))
	ok(t, err)
	ok(t, l.MoveEvent(t.Context(), testEvent(3).ID, 0, store.EventExpired, entry("event.expire")))
	for name, c := range map[string]struct {
		q    store.EventQuery
		want []int64
	}{
		"all": {store.EventQuery{}, []int64{5, 4, 3, 2, 1}}, "of a release": {store.EventQuery{Release: vote.Ref{Product: "phone", Build: 44}}, []int64{5}}, "a page": {store.EventQuery{Before: 4, Limit: 2}, []int64{3, 2}},
		"open": {store.EventQuery{Open: true}, []int64{5, 4, 2, 1}}, "by its beginning": {store.EventQuery{Prefix: testEvent(2).ID[:63]}, []int64{5, 4, 3, 2, 1}},
		"one": {store.EventQuery{Prefix: testEvent(2).ID}, []int64{2}},
	} {
		list, err := l.Events(t.Context(), c.q)
		ok(t, err)
		var have []int64
		for _, v := range list {
			have = append(have, v.Sequence)
			if v.Body != nil {
				t.Errorf("%s: a list carries bodies", name)
			}
		}
		if !reflect.DeepEqual(have, c.want) {
			t.Errorf("%s: got %v, want %v", name, have, c.want)
		}
	}
}

// Whoever comes at the same instant is heard, and nobody twice.
func wordsMeetInAnyOrder(t *testing.T, l store.Ledger) {
	v, err := l.AddEvent(t.Context(), testEvent(1), entry("event.open"))
	ok(t, err)
	before := count(t, l)
	if n := many(t, store.ErrStale, func(i int) error { return addWord(t, l, v.ID, word(fmt.Sprint("key", i/2), false)) }); n == 0 || count(t, l) != before+n {
		t.Errorf("%d added, %d entries", n, count(t, l)-before)
	} else if v, err = l.Event(t.Context(), v.ID); err != nil || len(v.Words) != n || v.Version != int64(n)+1 {
		t.Errorf("%d added, kept are %d in version %d: %v", n, len(v.Words), v.Version, err)
	}
	_, err = l.AddWords(t.Context(), v.ID, v.Version-1, []store.EventWord{word("late", false)}, entry("event.sign"))
	want(t, err, store.ErrStale)
	other := word("key0", false)
	other.Said = json.RawMessage(`{"other":1}`)
	added, err := l.AddWords(t.Context(), v.ID, v.Version, []store.EventWord{other, word("key0", true)}, entry("event.reject"))
	if ok(t, err); added != 1 {
		t.Errorf("%d added", added)
	}
	_, err = l.AddWords(t.Context(), testEvent(7).ID, 1, []store.EventWord{other}, entry("event.sign"))
	want(t, err, store.ErrNotFound)
}

// addWord keeps a word as a server does: looking again when somebody was
// quicker. It is ErrStale if the word was there.
func addWord(t *testing.T, l store.Ledger, id string, w store.EventWord) error {
	for {
		v, err := l.Event(t.Context(), id)
		if err != nil {
			return err
		}
		added, err := l.AddWords(t.Context(), id, v.Version, []store.EventWord{w}, entry("event.sign"))
		switch {
		case errors.Is(err, store.ErrStale):
			continue
		case err == nil && added == 0:
			return store.ErrStale
		}
		return err
	}
}

func signingEventEndsOnce(t *testing.T, l store.Ledger) {
	v, err := l.AddEvent(t.Context(), testEvent(1), entry("event.open"))
	ok(t, err)
	want(t, l.MoveEvent(t.Context(), v.ID, 7, store.EventRejected, entry("event.reject")), store.ErrStale)
	ok(t, l.MoveEvent(t.Context(), v.ID, 1, store.EventPublished, store.Entry{At: epoch.Add(time.Hour), Who: "li", What: "event.publish", Subject: v.ID}))
	before := count(t, l)
	ok(t, l.MoveEvent(t.Context(), v.ID, 1, store.EventPublished, entry("event.publish")))
	want(t, l.MoveEvent(t.Context(), v.ID, 0, store.EventRejected, entry("event.reject")), store.ErrStale)
	_, err = l.AddWords(t.Context(), v.ID, 2, []store.EventWord{word("a", false)}, entry("event.sign"))
	want(t, err, store.ErrStale)
	if v, err = l.Event(t.Context(), v.ID); err != nil || v.State != store.EventPublished || len(v.Words) != 0 || !v.Changed.Equal(epoch.Add(time.Hour)) {
		t.Errorf("got %+v, %v", v, err)
	}
	if count(t, l) != before {
		t.Error("a refused change left an entry")
	}
}

func signingEventsAreBounded(t *testing.T, l store.Ledger) {
	v, err := l.AddEvent(t.Context(), testEvent(0), entry("event.open"))
	ok(t, err)
	var words []store.EventWord
	for i := range store.MaxEventWords {
		words = append(words, word(fmt.Sprint(i), false))
	}
	_, err = l.AddWords(t.Context(), v.ID, 1, words, entry("event.sign"))
	ok(t, err)
	_, err = l.AddWords(t.Context(), v.ID, 2, []store.EventWord{word("more", false)}, entry("event.sign"))
	want(t, err, store.ErrFull)
	if v, err = l.Event(t.Context(), v.ID); err != nil || len(v.Words) != store.MaxEventWords {
		t.Errorf("%d words, %v", len(v.Words), err)
	}
	for i := 1; i < store.MaxOpenEvents; i++ {
		one := testEvent(i)
		one.Body = []byte{}
		_, err := l.AddEvent(t.Context(), one, entry("event.open"))
		ok(t, err)
	}
	last := testEvent(store.MaxOpenEvents)
	_, err = l.AddEvent(t.Context(), last, entry("event.open"))
	want(t, err, store.ErrFull)
	_, err = l.Event(t.Context(), last.ID)
	want(t, err, store.ErrNotFound)
	ok(t, l.MoveEvent(t.Context(), v.ID, 0, store.EventSuperseded, entry("event.supersede")))
	_, err = l.AddEvent(t.Context(), last, entry("event.open"))
	ok(t, err)
}
