package vote

import (
	"slices"
	"sync"

	"github.com/candor-ota/candor/manifests/strict"
)

// Version is the only value of Vote.V.
const Version = 1

// MaxVoteBytes bounds the JSON form of a vote.
const MaxVoteBytes = 256

// Outcome is what became of a release on one handset.
type Outcome string

// The outcomes: the first two of a trial, the others of a refusal.
const (
	InstalledHealthy Outcome = "installed_healthy"
	RolledBack       Outcome = "rolled_back"
	InstallFailed    Outcome = "install_failed"
	Declined         Outcome = "declined"
)

// Reason is why something failed.
type Reason string

// The reasons.
const (
	None        Reason = "none"
	Download    Reason = "download"
	Verify      Reason = "verify"
	Space       Reason = "space"
	Power       Reason = "power"
	BootLoop    Reason = "boot_loop"
	HealthCheck Reason = "health_check"
	DeltaBase   Reason = "delta_base"
	Other       Reason = "other"
)

// FromClass is how far behind the handset was before.
type FromClass string

// The classes of the build that ran before: the one before this, the one
// before that, or an older one.
const (
	FromPrevious FromClass = "n-1"
	FromSecond   FromClass = "n-2"
	FromOlder    FromClass = "older"
)

// Attempts is how many tries it took; in a regression, how often it failed.
type Attempts string

// The ranges of attempts.
const (
	AttemptsOne  Attempts = "1"
	AttemptsTwo  Attempts = "2"
	AttemptsFew  Attempts = "3-5"
	AttemptsMany Attempts = "6+"
)

// Duration is how long it took from offer to outcome; in a regression, how
// long the build had been good.
type Duration string

// The ranges of duration.
const (
	UnderTenMinutes Duration = "<10m"
	UnderHour       Duration = "<1h"
	UnderDay        Duration = "<1d"
	OverDay         Duration = ">1d"
)

var (
	outcomes  = []Outcome{InstalledHealthy, RolledBack, InstallFailed, Declined}
	reasons   = []Reason{None, Download, Verify, Space, Power, BootLoop, HealthCheck, DeltaBase, Other}
	froms     = []FromClass{FromPrevious, FromSecond, FromOlder}
	attempts  = []Attempts{AttemptsOne, AttemptsTwo, AttemptsFew, AttemptsMany}
	durations = []Duration{UnderTenMinutes, UnderHour, UnderDay, OverDay}
)

// UnmarshalText refuses anything outside the closed list.
func (o *Outcome) UnmarshalText(b []byte) error { return oneOf(o, b, outcomes) }

// UnmarshalText refuses anything outside the closed list.
func (r *Reason) UnmarshalText(b []byte) error { return oneOf(r, b, reasons) }

// UnmarshalText refuses anything outside the closed list.
func (f *FromClass) UnmarshalText(b []byte) error { return oneOf(f, b, froms) }

// UnmarshalText refuses anything outside the closed list.
func (a *Attempts) UnmarshalText(b []byte) error { return oneOf(a, b, attempts) }

// UnmarshalText refuses anything outside the closed list.
func (d *Duration) UnmarshalText(b []byte) error { return oneOf(d, b, durations) }

// Vote is everything that a handset says about one release. An attempt holds
// only V; a regression has no Outcome; all else is required.
type Vote struct {
	V         int       `json:"v"`
	Outcome   Outcome   `json:"outcome,omitempty"`
	Reason    Reason    `json:"reason,omitempty"`
	FromClass FromClass `json:"fromClass,omitempty"`
	Attempts  Attempts  `json:"attempts,omitempty"`
	Duration  Duration  `json:"duration,omitempty"`
}

// Parse reads the JSON form of a vote of a class.
func Parse(class Class, data []byte) (Vote, error) {
	var v Vote
	if err := strict.Decode(data, MaxVoteBytes, &v); err != nil {
		return Vote{}, err
	}
	return v, v.Validate(class)
}

// Canonical gives the one byte sequence that stands for a valid vote.
func (v Vote) Canonical() ([]byte, error) { return strict.Canonical(v) }

// forms are the canonical bytes of votes, each made once: valid votes differ in
// a few hundred ways, so that there are never more.
var forms sync.Map

// written is Canonical of a vote of a class.
func (v Vote) written(class Class) ([]byte, error) {
	if b, ok := forms.Load(v); ok {
		return b.([]byte), nil
	}
	if err := v.Validate(class); err != nil {
		return nil, err
	}
	b, err := v.Canonical()
	if err == nil {
		forms.Store(v, b)
	}
	return b, err
}

// Validate refuses what the class cannot say, naming field and reason.
func (v Vote) Validate(class Class) error { return v.validate(class, "") }

// Failed tells whether the vote counts against the release: a return to the
// old slot or a regression. A refusal has a limit of its own and no attempt
// ever counts against.
func (v Vote) Failed(class Class) bool {
	return class == Regression || class == Trial && v.Outcome == RolledBack
}

// what each outcome may give as its reason; a regression has none.
var reasonsOf = map[Outcome][]Reason{
	InstalledHealthy: {None},
	Declined:         {None},
	InstallFailed:    {Download, Verify, Space, Power, DeltaBase, Other},
	RolledBack:       {Verify, Power, BootLoop, HealthCheck, Other},
	"":               {Verify, Power, BootLoop, HealthCheck, Other},
}

// TrialReasons are those that a trial that fell back can give.
func TrialReasons() []Reason { return slices.Clone(reasonsOf[RolledBack]) }

var outcomesOf = map[Class][]Outcome{
	Attempt:    {""},
	Trial:      {InstalledHealthy, RolledBack},
	Refusal:    {Declined, InstallFailed},
	Regression: {""},
}

func (v Vote) validate(class Class, prefix string) error {
	allowed, ok := outcomesOf[class]
	switch {
	case !ok:
		return strict.Refuse("class", "%q is not a class of vote", class)
	case v.V != Version:
		return strict.Refuse(prefix+"v", "is %d; only %d is known", v.V, Version)
	case !slices.Contains(allowed, v.Outcome):
		return strict.Refuse(prefix+"outcome", "%s has no place in a vote of class %s", orNothing(v.Outcome), class)
	case class == Attempt:
		return v.empty(prefix)
	case !slices.Contains(reasonsOf[v.Outcome], v.Reason):
		return strict.Refuse(prefix+"reason", "%s does not go with %s", orNothing(v.Reason), orClass(v.Outcome, class))
	case !slices.Contains(froms, v.FromClass):
		return strict.Refuse(prefix+"fromClass", "missing")
	case !slices.Contains(attempts, v.Attempts):
		return strict.Refuse(prefix+"attempts", "missing")
	case !slices.Contains(durations, v.Duration):
		return strict.Refuse(prefix+"duration", "missing")
	}
	return nil
}

// empty refuses any content: an attempt says only that it happens.
func (v Vote) empty(prefix string) error {
	for _, f := range []struct{ name, value string }{
		{"reason", string(v.Reason)},
		{"fromClass", string(v.FromClass)},
		{"attempts", string(v.Attempts)},
		{"duration", string(v.Duration)},
	} {
		if f.value != "" {
			return strict.Refuse(prefix+f.name, "has no place in a vote of class %s", Attempt)
		}
	}
	return nil
}

func orNothing[T ~string](s T) string {
	if s == "" {
		return "nothing"
	}
	return string(s)
}

func orClass(o Outcome, c Class) string {
	if o == "" {
		return "a " + string(c)
	}
	return string(o)
}
