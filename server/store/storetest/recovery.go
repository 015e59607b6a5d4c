package storetest

import (
	"testing"
	"time"
)

// RecoveryBound is how soon after the cause of a bad day has ended everything
// must go on.
const RecoveryBound = 10 * time.Second

// Recovered says how long it took from the end of a cause until everything went
// on, which is now, and fails the test if that was too long.
func Recovered(t testing.TB, cause string, ended time.Time) {
	t.Helper()
	RecoveredIn(t, cause, time.Since(ended))
}

// RecoveredIn is Recovered for a time that was taken otherwise.
func RecoveredIn(t testing.TB, cause string, took time.Duration) {
	t.Helper()
	t.Logf("recovery: %s: %s (at most %s)", cause, took.Round(time.Millisecond), RecoveryBound)
	if took > RecoveryBound {
		t.Errorf("%s: it took %s to go on", cause, took)
	}
}

// RecoveredBeyond is Recovered where what goes on takes a while by itself. usual
// is how long that took on this machine before the cause, and no part of what
// the cause has cost.
func RecoveredBeyond(t testing.TB, cause string, usual time.Duration, ended time.Time) {
	t.Helper()
	took := time.Since(ended)
	t.Logf("recovery: %s: %s (at most %s beyond the usual %s)", cause, took.Round(time.Millisecond), RecoveryBound, usual.Round(time.Millisecond))
	if took > RecoveryBound+usual {
		t.Errorf("%s: it took %s to go on", cause, took)
	}
}
