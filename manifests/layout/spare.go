package layout

import (
	"fmt"
	"maps"
	"slices"

	"github.com/candor-ota/candor/manifests"
)

// SpareVotes reads FieldSpare of a releases-PRODUCT role: the builds whose votes
// are cast and counted under the spare keys of their releases, in rising order;
// none without the field. Whoever signs it has to list at least one, each once.
// A build that was listed stays so for as long as it is signed.
func SpareVotes(fields map[string]any) ([]manifests.Build, error) {
	field, ok := fields[FieldSpare]
	if !ok {
		return nil, nil
	}
	list, ok := field.([]any)
	if !ok || len(list) == 0 {
		return nil, fmt.Errorf("%s must be a list of builds, or be left out", FieldSpare)
	}
	var out []manifests.Build
	for _, one := range list {
		n, ok := one.(float64) // as JSON has it; exact, as builds have 53 bits
		if !ok || n < 1 || n >= 1<<53 || n != float64(uint64(n)) {
			return nil, fmt.Errorf("%s: %v is not a build number", FieldSpare, one)
		}
		b := manifests.Build(n)
		if len(out) > 0 && b <= out[len(out)-1] {
			return nil, fmt.Errorf("%s: builds stand in rising order, each once; %d follows %d", FieldSpare, b, out[len(out)-1])
		}
		out = append(out, b)
	}
	return out, nil
}

// WithSpareVotes gives fields with these builds, which are to stand in rising
// order, under FieldSpare; without it for none.
func WithSpareVotes(fields map[string]any, builds []manifests.Build) map[string]any {
	out := maps.Clone(fields)
	delete(out, FieldSpare)
	if len(builds) > 0 {
		list := make([]any, len(builds))
		for i, b := range builds {
			list[i] = float64(b) // as it is read back
		}
		out[FieldSpare] = list
	}
	return out
}

// CheckSpareVotes holds the list of a releases-PRODUCT role against the builds
// that it signs and the list of the version before (both may be empty): every
// build that is listed is signed, and none that was listed is left out while it
// is signed, for votes never go back to keys that may have leaked.
func CheckSpareVotes(builds, before []manifests.Build, signed func(manifests.Build) bool) error {
	for _, b := range builds {
		if !signed(b) {
			return fmt.Errorf("%s: build %d is not among the signed releases", FieldSpare, b)
		}
	}
	for _, b := range before {
		if signed(b) && !slices.Contains(builds, b) {
			return fmt.Errorf("%s: build %d was listed before, and votes do not go back to their first keys", FieldSpare, b)
		}
	}
	return nil
}
