package vote_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/candor-ota/candor/manifests/strict"
	"github.com/candor-ota/candor/manifests/vote"
)

const healthy = `{"v":1,"outcome":"installed_healthy","reason":"none","fromClass":"n-1","attempts":"1","duration":"<10m"}`

func TestOnlyTheClosedListsCanBeSaid(t *testing.T) {
	for _, c := range []struct {
		name, class, body, field, says string
	}{
		{"free text", "trial", strings.Replace(healthy, `"none"`, `"serial 7"`, 1), "reason", "is not one of"},
		{"unknown field", "trial", strings.Replace(healthy, `{`, `{"imei":"1",`, 1), "imei", "unknown field"},
		{"repeated field", "trial", strings.Replace(healthy, `{`, `{"v":1,`, 1), "v", "given twice"},
		{"null", "trial", strings.Replace(healthy, `"none"`, `null`, 1), "reason", "null"},
		{"float", "trial", strings.Replace(healthy, `"v":1`, `"v":1.0`, 1), "v", "fractions"},
		{"other version", "trial", strings.Replace(healthy, `"v":1`, `"v":2`, 1), "v", "only 1"},
		{"trailing data", "trial", healthy + "{}", "", "after the end"},
		{"overlong", "trial", healthy + strings.Repeat(" ", 300), "", "at most 256"},
		{"healthy with a reason", "trial", strings.Replace(healthy, `"none"`, `"boot_loop"`, 1), "reason", "does not go with"},
		{"rolled back without one", "trial", strings.Replace(healthy, "installed_healthy", "rolled_back", 1), "reason", "does not go with"},
		{"download cannot roll back", "trial", `{"v":1,"outcome":"rolled_back","reason":"download","fromClass":"n-1","attempts":"1","duration":"<10m"}`, "reason", "does not go with"},
		{"declined with a reason", "refusal", `{"v":1,"outcome":"declined","reason":"space","fromClass":"n-1","attempts":"1","duration":"<10m"}`, "reason", "does not go with"},
		{"failed without one", "refusal", `{"v":1,"outcome":"install_failed","reason":"none","fromClass":"n-1","attempts":"1","duration":"<10m"}`, "reason", "does not go with"},
		{"refusal as a trial", "trial", `{"v":1,"outcome":"declined","reason":"none","fromClass":"n-1","attempts":"1","duration":"<10m"}`, "outcome", "no place"},
		{"trial as a refusal", "refusal", healthy, "outcome", "no place"},
		{"regression with outcome", "regression", healthy, "outcome", "no place"},
		{"regression without reason", "regression", `{"v":1,"fromClass":"n-1","attempts":"1","duration":"<10m"}`, "reason", "does not go"},
		{"attempt with content", "attempt", `{"v":1,"duration":"<10m"}`, "duration", "no place"},
		{"attempt with outcome", "attempt", healthy, "outcome", "no place"},
		{"no from", "trial", strings.Replace(healthy, `"fromClass":"n-1",`, ``, 1), "fromClass", "missing"},
		{"no attempts", "trial", strings.Replace(healthy, `"attempts":"1",`, ``, 1), "attempts", "missing"},
		{"no duration", "trial", strings.Replace(healthy, `,"duration":"<10m"`, ``, 1), "duration", "missing"},
		{"no such class", "lab", healthy, "class", "not a class"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := vote.Parse(vote.Class(c.class), []byte(c.body))
			var field *strict.FieldError
			if !errors.As(err, &field) {
				t.Fatalf("got %v; want a refusal that names the field", err)
			}
			if field.Path != c.field || !strings.Contains(field.Reason, c.says) {
				t.Errorf("refused as %q; want field %q and %q", err, c.field, c.says)
			}
		})
	}
}

func TestEveryLegalVoteHasACellOfItsOwn(t *testing.T) {
	want := map[vote.Class]int{
		vote.Attempt: 1, vote.Trial: 6 * 48, vote.Refusal: 7 * 48, vote.Regression: 5 * 48,
	}
	for _, class := range vote.Classes() {
		legal := 0
		for n := range vote.Cell(vote.Cells + 50) {
			v, err := vote.OfCell(class, n)
			if err != nil {
				continue
			}
			legal++
			body, err := v.Canonical()
			if err != nil {
				t.Fatal(err)
			}
			back, err := vote.Parse(class, body)
			if err != nil || back != v {
				t.Fatalf("%s cell %d: %s reads back as %+v, %v", class, n, body, back, err)
			}
			if cell, err := back.Cell(class); err != nil || cell != n {
				t.Fatalf("%s cell %d: came back as %d, %v", class, n, cell, err)
			}
		}
		if legal != want[class] {
			t.Errorf("class %s has %d legal votes; want %d", class, legal, want[class])
		}
	}
}

// The numbers are in ledgers, so they are frozen.
func TestCellNumbersAreFrozen(t *testing.T) {
	for _, c := range []struct {
		class vote.Class
		body  string
		cell  vote.Cell
	}{
		{vote.Attempt, `{"v":1}`, 0},
		{vote.Trial, healthy, 0},
		{vote.Trial, `{"v":1,"outcome":"rolled_back","reason":"boot_loop","fromClass":"older","attempts":"3-5","duration":">1d"}`, 715},
		{vote.Refusal, `{"v":1,"outcome":"declined","reason":"none","fromClass":"n-2","attempts":"1","duration":"<1h"}`, 1313},
		{vote.Regression, `{"v":1,"reason":"other","fromClass":"n-1","attempts":"6+","duration":"<1d"}`, 398},
	} {
		v, err := vote.Parse(c.class, []byte(c.body))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := v.Cell(c.class); err != nil || got != c.cell {
			t.Errorf("%s: cell %d, %v; want %d", c.body, got, err, c.cell)
		}
	}
}

func TestCanonicalFormIgnoresOrderAndSpace(t *testing.T) {
	a, err := vote.Parse(vote.Trial, []byte(healthy))
	if err != nil {
		t.Fatal(err)
	}
	b, err := vote.Parse(vote.Trial, []byte(` { "duration" : "\u003c10m","attempts":"1", "fromClass":"n-1","reason":"none","outcome":"installed_healthy","v":1 }`))
	if err != nil {
		t.Fatal(err)
	}
	x, _ := a.Canonical()
	y, _ := b.Canonical()
	const want = `{"attempts":"1","duration":"<10m","fromClass":"n-1","outcome":"installed_healthy","reason":"none","v":1}`
	if string(x) != want || string(y) != want {
		t.Errorf("canonical forms %s and %s; want %s", x, y, want)
	}
}

func TestOnlyReturnsAndRegressionsCountAgainstARelease(t *testing.T) {
	for _, class := range vote.Classes() {
		for n := range vote.Cell(vote.Cells) {
			v, err := vote.OfCell(class, n)
			if err != nil {
				continue
			}
			want := class == vote.Regression || v.Outcome == vote.RolledBack
			if v.Failed(class) != want {
				t.Fatalf("%s %+v: failed = %v", class, v, !want)
			}
		}
	}
}

func TestRangesCoverEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := vote.Vote{
			V: vote.Version, Outcome: vote.InstalledHealthy, Reason: vote.None, FromClass: vote.FromOlder,
			Attempts: vote.BucketAttempts(rapid.Int().Draw(t, "attempts")),
			Duration: vote.BucketDuration(time.Duration(rapid.Int64().Draw(t, "duration"))),
		}
		if err := v.Validate(vote.Trial); err != nil {
			t.Fatal(err)
		}
	})
	if vote.BucketAttempts(5) != vote.AttemptsFew || vote.BucketAttempts(6) != vote.AttemptsMany {
		t.Error("attempts are cut in the wrong place")
	}
	if vote.BucketDuration(time.Hour-1) != vote.UnderHour || vote.BucketDuration(24*time.Hour) != vote.OverDay {
		t.Error("durations are cut in the wrong place")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("trial", []byte(healthy))
	f.Add("attempt", []byte(`{"v":1}`))
	f.Add("regression", []byte(`{"v":1,"reason":"power","fromClass":"n-1","attempts":"2","duration":"<1h"}`))
	f.Add("refusal", []byte(`{"v":1,"v":1}`))
	f.Fuzz(func(t *testing.T, class string, data []byte) {
		v, err := vote.Parse(vote.Class(class), data)
		if err != nil {
			return
		}
		body, err := v.Canonical()
		if err != nil {
			t.Fatal(err)
		}
		back, err := vote.Parse(vote.Class(class), body)
		if err != nil || back != v {
			t.Fatalf("%q was taken, its canonical form %s was not the same: %v", data, body, err)
		}
	})
}
