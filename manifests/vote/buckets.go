package vote

import "time"

// BucketAttempts gives the range that holds n tries; fewer than one counts as one.
func BucketAttempts(n int) Attempts {
	switch {
	case n <= 1:
		return AttemptsOne
	case n == 2:
		return AttemptsTwo
	case n <= 5:
		return AttemptsFew
	}
	return AttemptsMany
}

// BucketDuration gives the range that holds d.
func BucketDuration(d time.Duration) Duration {
	switch {
	case d < 10*time.Minute:
		return UnderTenMinutes
	case d < time.Hour:
		return UnderHour
	case d < 24*time.Hour:
		return UnderDay
	}
	return OverDay
}
