package lint_test

import (
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/lint"
)

func TestUrgencyRisesAsTheEndComesNearer(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		role          string
		expires, word time.Duration // from now; no word: 0
		want          lint.Urgency
	}{
		{"root", 365 * day, 0, lint.Fine},
		{"root", 121 * day, 0, lint.Soon}, // less than a third: the alert
		{"root", 14 * day, 0, lint.Soon},
		{"root", 14*day - time.Second, 0, lint.Urgent},
		{"root", 0, 0, lint.Expired},
		{"releases-phone", 120 * day, 60 * day, lint.Fine},
		{"releases-phone", 90 * day, 30 * day, lint.Soon}, // due
		{"releases-phone", 73 * day, 13 * day, lint.Urgent},
		{"releases-phone", 59 * day, -day, lint.Urgent}, // the promise is broken
		{"releases-phone", -time.Second, -day, lint.Expired},
		{"releases-phone", 39 * day, 0, lint.Soon},
		{"releases-phone", 10 * day, 20 * day, lint.Urgent}, // a promise past the expiry is none
		{"timestamp", 17 * time.Hour, 0, lint.Fine},
		{"timestamp", 15 * time.Hour, 0, lint.Urgent},
		{"snapshot", 3 * day, 0, lint.Fine},
		{"rollouts", 2 * day, 0, lint.Urgent},
		{"rollouts", -day, 0, lint.Expired},
	} {
		f := &lint.File{Role: c.role, Expires: start.Add(c.expires)}
		if c.word != 0 {
			word := manifests.At(start.Add(c.word))
			f.NextBy = &word
		}
		if got := f.Urgency(start); got != c.want {
			t.Errorf("%s, which expires in %s (word in %s): %s, not %s", c.role, c.expires, c.word, got, c.want)
		}
	}
}

func TestDaysAreWholeAndNegativeWhenPast(t *testing.T) {
	for at, want := range map[time.Duration]int{
		0: 0, 24 * time.Hour: 1, 24*time.Hour - 1: 0, -time.Second: -1, -24 * time.Hour: -1, -24*time.Hour - time.Second: -2,
	} {
		if got := lint.DaysUntil(manifests.Time{Time: start.Add(at)}, start); got != want {
			t.Errorf("%s: %d, not %d", at, got, want)
		}
	}
}
