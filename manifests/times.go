package manifests

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// Time is a moment in whole seconds, UTC, written in RFC 3339 with a 'Z'.
type Time struct{ time.Time }

// At gives t in whole seconds, UTC.
func At(t time.Time) Time { return Time{t.UTC().Truncate(time.Second)} }

// UnmarshalText refuses fractions of a second and zones other than Z.
func (t *Time) UnmarshalText(b []byte) error {
	v, err := time.Parse("2006-01-02T15:04:05Z", string(b))
	if err != nil || len(b) != len("2006-01-02T15:04:05Z") {
		return fmt.Errorf("%q is not a time: write it as 2014-08-10T00:00:00Z", clip(b))
	}
	*t = Time{v}
	return nil
}

// MarshalText writes the form that UnmarshalText reads.
func (t Time) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

func (t Time) String() string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// Duration is a length of time in whole seconds, written with one unit:
// 90s, 15m, 12h, 30d, or 0s.
type Duration struct{ time.Duration }

var durationForm = regexp.MustCompile(`^(0|[1-9][0-9]{0,6})([smhd])$`)

var durationUnits = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}

// MaxDuration is the longest that a document may say: ten years.
const MaxDuration = 3650 * 24 * time.Hour

// ParseDuration reads a whole number and one unit of s, m, h, d.
func ParseDuration(s string) (Duration, error) {
	m := durationForm.FindStringSubmatch(s)
	if m == nil {
		return Duration{}, fmt.Errorf("%q is not a duration: write a whole number and one unit of s, m, h, d, such as 24h", clip([]byte(s)))
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil || n > int64(MaxDuration/durationUnits[m[2]]) {
		return Duration{}, fmt.Errorf("%q is longer than ten years", s)
	}
	return Duration{time.Duration(n) * durationUnits[m[2]]}, nil
}

// UnmarshalText reads what ParseDuration reads.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := ParseDuration(string(b))
	if err != nil {
		return err
	}
	*d = v
	return nil
}

// MarshalText writes the largest unit that divides the duration.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

func (d Duration) String() string {
	for _, unit := range []string{"d", "h", "m"} {
		if n := durationUnits[unit]; d.Duration >= n && d.Duration%n == 0 {
			return strconv.FormatInt(int64(d.Duration/n), 10) + unit
		}
	}
	return strconv.FormatInt(int64(d.Duration/time.Second), 10) + "s"
}

// Span is a length of time for people, in its two largest units: 3 h 10 m. Its
// parts are not for machines, which take a Duration.
func Span(d time.Duration) string {
	d = max(d, 0).Round(time.Second)
	for _, unit := range []struct {
		size, part    time.Duration
		name, smaller string
	}{{24 * time.Hour, time.Hour, "d", "h"}, {time.Hour, time.Minute, "h", "m"}, {time.Minute, time.Second, "m", "s"}} {
		if d < unit.size {
			continue
		}
		whole, rest := d/unit.size, d%unit.size/unit.part
		if rest == 0 {
			return fmt.Sprintf("%d %s", whole, unit.name)
		}
		return fmt.Sprintf("%d %s %d %s", whole, unit.name, rest, unit.smaller)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}
