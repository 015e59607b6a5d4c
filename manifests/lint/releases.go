package lint

import (
	"encoding/hex"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
)

// MaxReleases is how many live releases a product may have: more would make
// every handset's refresh slow (go-tuf reads 15 MB/s, see layout).
const MaxReleases = 100

// CheckReleases holds a releases-PRODUCT role against the rules: release
// documents of that product alone, one hash each, and the promise of the next
// word before the expiry.
func CheckReleases(product manifests.Product, f *File) Findings {
	r := f.report()
	if f.Delegates {
		r.add(place{RuleDelegate, "delegations", nil}, makeAgain, "delegates; only targets may")
	}
	if n := len(f.Targets); n > MaxReleases {
		r.add(place{RuleCount, "targets", n}, "retire old ones with `candor-signer retire`", "%d releases; retire old ones, at most %d may be live", n, MaxReleases)
	}
	switch {
	case f.NextBy == nil:
		r.add(place{RuleWord, layout.FieldNextBy, nil}, makeAgain, "must sign %s, a time: when its makers will sign again at the latest", layout.FieldNextBy)
	case !f.NextBy.Before(f.Expires):
		r.add(place{RuleWord, layout.FieldNextBy, f.NextBy}, makeAgain, "%s %s must come before the expiry %s", layout.FieldNextBy, f.NextBy, manifests.At(f.Expires))
	}
	for _, path := range sorted(f.Targets) {
		r.release(product, path, f.Targets[path])
	}
	r.spareBuilds(product, f)
	seen := map[manifests.Build]bool{}
	for i, b := range f.Retires {
		_, live := f.Targets[layout.ReleasePath(product, b)]
		if live || seen[b] || b == 0 {
			r.add(place{RuleField, index(layout.FieldRetires, i), b}, makeAgain, "%s names build %d, which is live, no build, or named twice", layout.FieldRetires, b)
		}
		seen[b] = true
	}
	return r.found
}

func (r *report) release(product manifests.Product, path string, t Target) {
	field := join("targets", path)
	if whose, _, err := layout.ParseReleasePath(path); err != nil || whose != product {
		r.add(place{RulePath, field, nil}, "remove it; a product's role lists releases/PRODUCT/BUILD.json alone", "target %q is not a release of %s", clip(path), product)
	}
	if t.Extra || t.Length <= 0 || !oneSHA256(t.Hashes) {
		r.add(place{RuleHash, field, nil}, makeAgain, "target %s must have a length and one sha256, nothing else", clip(path))
	}
}

func oneSHA256(hashes map[string]string) bool {
	raw, err := hex.DecodeString(hashes["sha256"])
	return err == nil && len(hashes) == 1 && len(raw) == len(manifests.SHA256{})
}

// CheckRollouts holds the service's rollouts role against the rules: documents
// of products alone, one hash each.
func CheckRollouts(f *File) Findings {
	r := f.report()
	if f.Delegates {
		r.add(place{RuleDelegate, "delegations", nil}, makeAgain, "delegates; only targets may")
	}
	for _, path := range sorted(f.Targets) {
		field := join("targets", path)
		if _, ok := rolloutsProduct(path); !ok {
			r.add(place{RulePath, field, nil}, "the service made it; look at its log", "target %q is not the rollouts of a product", clip(path))
		}
		if t := f.Targets[path]; t.Extra || t.Length <= 0 || !oneSHA256(t.Hashes) {
			r.add(place{RuleHash, field, nil}, "the service made it; look at its log", "target %s must have a length and one sha256, nothing else", clip(path))
		}
	}
	return r.found
}

func rolloutsProduct(path string) (manifests.Product, bool) {
	const prefix, suffix = "rollouts/", ".json"
	if len(path) <= len(prefix)+len(suffix) {
		return "", false
	}
	p, err := manifests.ParseProduct(path[len(prefix) : len(path)-len(suffix)])
	return p, err == nil && layout.RolloutsPath(p) == path
}
