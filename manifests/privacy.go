package manifests

import (
	"fmt"
	"slices"
)

// PrivacyLabel says what a build collects, in a form that a handset can
// compare with the label of the build that it runs.
type PrivacyLabel struct {
	Collects []Collection `json:"collects"` // empty: nothing leaves the handset
	Change   Text         `json:"change,omitempty"`
}

// Collection is one kind of data that may leave the handset.
type Collection struct {
	Data    Name    `json:"data"` // "contact-phone-numbers"
	Purpose Text    `json:"purpose"`
	Default Switch  `json:"default"` // off until the owner turns it on, or on
	Stored  Storage `json:"stored"`
}

// Switch is off or on.
type Switch string

// The switches.
const (
	Off Switch = "off"
	On  Switch = "on"
)

// Storage says how long the receiving side keeps data.
type Storage string

// The storages, from least to most.
const (
	StoredNone     Storage = "none"     // used in passing, never written
	StoredSession  Storage = "session"  // gone when the session ends
	StoredRetained Storage = "retained" // kept
)

var storages = []Storage{StoredNone, StoredSession, StoredRetained}

// CollectsNothing is what is said of a label without a line.
const CollectsNothing = "nothing is collected"

// Words gives the label as handsets show it to their owners, a line for each
// kind of data, sorted; none if nothing is collected. Purposes are in the
// language that is asked for, or in English.
func (l PrivacyLabel) Words(language string) []string {
	var out []string
	for _, c := range l.Collects {
		out = append(out, fmt.Sprintf("%s for %s: %s by default, stored %s", c.Data, c.Purpose.In(language), c.Default, c.Stored))
	}
	slices.Sort(out)
	return out
}

// Widening names, in words, everything in which next takes more than l: new
// data, a default that turns on, longer storage. Empty means nothing widened.
func (l PrivacyLabel) Widening(next PrivacyLabel) []string {
	var out []string
	for _, n := range next.Collects {
		i := slices.IndexFunc(l.Collects, func(c Collection) bool { return c.Data == n.Data })
		if i < 0 {
			out = append(out, fmt.Sprintf("collects %s, which was not collected before", n.Data))
			continue
		}
		old := l.Collects[i]
		if old.Default == Off && n.Default == On {
			out = append(out, fmt.Sprintf("turns %s on by default", n.Data))
		}
		if slices.Index(storages, n.Stored) > slices.Index(storages, old.Stored) {
			out = append(out, fmt.Sprintf("stores %s as %q instead of %q", n.Data, n.Stored, old.Stored))
		}
	}
	return out
}

// Consent is the notice that an owner must accept before a release installs.
type Consent struct {
	Required bool `json:"required"`
	Notice   Text `json:"notice,omitempty"`
}

// CheckSuccessor applies the rules that join two releases of one product: r is
// to follow before on handsets that run it. It returns a *strict.FieldError.
func (r *Release) CheckSuccessor(before *Release) error {
	switch {
	case before.Product != r.Product:
		return refuse("product", "%s cannot follow a release of %s", r.Product, before.Product)
	case r.Build <= before.Build:
		return refuse("build", "%d does not rise above %d; build numbers only rise, a rollback is a new build too", r.Build, before.Build)
	case r.SecurityEpoch < before.SecurityEpoch:
		return refuse("securityEpoch", "%d is below %d of build %d", r.SecurityEpoch, before.SecurityEpoch, before.Build)
	case r.SecurityEpoch > before.SecurityEpoch+1:
		return refuse("securityEpoch", "%d rises by more than one over %d of build %d", r.SecurityEpoch, before.SecurityEpoch, before.Build)
	}
	widened := before.Privacy.Widening(r.Privacy)
	if len(widened) == 0 {
		return nil
	}
	switch {
	case r.Risk == RiskSecurity:
		return refuse("privacy", "over build %d it %s; a security release may not widen its label, ship the collection apart", before.Build, widened[0])
	case len(r.Privacy.Change) == 0:
		return refuse("privacy.change", "missing, although over build %d it %s; say so in a sentence", before.Build, widened[0])
	case !r.Consent.Required:
		return refuse("consent.required", "must be true: over build %d it %s", before.Build, widened[0])
	}
	return nil
}
