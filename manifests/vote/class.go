package vote

import (
	"fmt"
	"slices"
	"strings"

	"github.com/candor-ota/candor/manifests"
)

// Class is a kind of vote. A handset draws one token of each class per
// release, so it can say each kind of thing once.
type Class string

// The classes. An attempt is cast before the new slot is armed, a trial after
// it was booted (or not), a refusal when no attempt was made, a regression
// when a build that had been marked good fails later.
const (
	Attempt    Class = "attempt"
	Trial      Class = "trial"
	Refusal    Class = "refusal"
	Regression Class = "regression"
)

// Classes lists all classes, in the order of manifests.VoteKeySet.
func Classes() []Class { return []Class{Attempt, Trial, Refusal, Regression} }

// UnmarshalText refuses anything but the four names.
func (c *Class) UnmarshalText(b []byte) error { return oneOf(c, b, Classes()) }

// Set says which of the two key sets of a release a token was made with. The
// spare set replaces the primary one after a leak or a database restore.
type Set string

// The key sets.
const (
	Primary Set = "primary"
	Spare   Set = "spare"
)

// UnmarshalText refuses anything but the two names.
func (s *Set) UnmarshalText(b []byte) error { return oneOf(s, b, []Set{Primary, Spare}) }

// Ref names the release that votes are about.
type Ref struct {
	Product manifests.Product
	Build   manifests.Build
}

func (r Ref) String() string { return fmt.Sprintf("%s build %d", r.Product, r.Build) }

// KeyOf picks the public key of a class out of a release's rules. False means
// that the release takes no votes.
func KeyOf(rules manifests.VoteRules, class Class, set Set) (manifests.VoteKey, bool) {
	keys := rules.Primary
	if set == Spare {
		keys = rules.Spare
	}
	if keys == nil {
		return manifests.VoteKey{}, false
	}
	switch class {
	case Attempt:
		return keys.Attempt, true
	case Trial:
		return keys.Trial, true
	case Refusal:
		return keys.Refusal, true
	case Regression:
		return keys.Regression, true
	}
	return manifests.VoteKey{}, false
}

func oneOf[T ~string](into *T, b []byte, allowed []T) error {
	if v := T(b); slices.Contains(allowed, v) {
		*into = v
		return nil
	}
	names := make([]string, len(allowed))
	for i, a := range allowed {
		names[i] = string(a)
	}
	return fmt.Errorf("is not one of %s", strings.Join(names, ", "))
}
