package lint

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Rule names one rule of the design; names are never reused.
type Rule string

// The rules. Those under "callers" need keys or the tree, which this package
// does not have: their findings come from whoever calls it.
const (
	RuleForm      Rule = "form"       // one JSON document, read as it is written
	RuleNull      Rule = "null"       // null is no value
	RuleInteger   Rule = "integer"    // numbers are whole
	RuleTwice     Rule = "twice"      // no field is written twice
	RuleField     Rule = "field"      // no field that nobody knows
	RuleSize      Rule = "size"       // at most layout.MaxMetadataBytes
	RuleType      Rule = "type"       // the file is the role that its name says
	RuleVersion   Rule = "version"    // from 1, rising
	RuleExpired   Rule = "expired"    // not in the past
	RuleLife      Rule = "life"       // not further ahead than the role lives
	RuleSignature Rule = "signature"  // one for each key
	RuleKey       Rule = "key"        // Ed25519 or P-256, under its own id
	RuleRoles     Rule = "roles"      // the four roles, no others
	RuleSnapshots Rule = "consistent" // consistent snapshots are on
	RuleThreshold Rule = "threshold"  // at least two, at most the keys
	RulePeople    Rule = "people"     // each key is a named person's, one each
	RuleOnline    Rule = "online"     // one key of the service for each online role
	RuleShared    Rule = "shared"     // no key in two kinds of hands
	RuleFiles     Rule = "files"      // targets delegates, and lists nothing
	RuleDelegate  Rule = "delegation" // flat, terminating, disjoint, one delegator
	RuleCount     Rule = "count"      // at most MaxReleases in a role
	RulePath      Rule = "path"       // each segment in the allowed characters
	RuleHash      Rule = "hash"       // one sha256 and a length
	RuleWord      Rule = "word"       // the next word is promised, before expiry
	RuleDropped   Rule = "dropped"    // no role ever leaves
	RuleIssued    Rule = "issued"     // the timestamp says when it was made
	RuleDocument  Rule = "document"   // a release is whole in itself
	RuleRising    Rule = "rising"     // build numbers only rise
	RuleFollows   Rule = "follows"    // label, consent and epoch against each build it may replace
	RuleRollback  Rule = "rollback"   // a rollback carries what it says
	RuleStone     Rule = "stone"      // no handset is left without a way up

	RuleMissing   Rule = "missing"   // callers: a file that is named is there
	RuleThreshMet Rule = "signed"    // callers: enough of the right keys signed
	RuleAgrees    Rule = "agreement" // callers: rollouts offer what is signed
)

// Rules are all that this package applies itself.
var Rules = []Rule{
	RuleForm, RuleNull, RuleInteger, RuleTwice, RuleField, RuleSize, RuleType, RuleVersion, RuleExpired, RuleLife, RuleSignature, RuleKey,
	RuleRoles, RuleSnapshots, RuleThreshold, RulePeople, RuleOnline, RuleShared, RuleFiles, RuleDelegate, RuleCount, RulePath, RuleHash,
	RuleWord, RuleDropped, RuleIssued, RuleDocument, RuleRising, RuleFollows, RuleRollback, RuleStone,
}

// Finding is one thing that breaks a rule.
type Finding struct {
	Rule  Rule   `json:"rule"`
	Role  string `json:"role"`            // or the path of a document
	Field string `json:"field,omitempty"` // inside it, such as "delegations.roles[2].threshold"
	Value string `json:"value,omitempty"` // that is there
	Says  string `json:"says"`            // what is wrong
	Do    string `json:"do"`              // what to do about it
}

// Error says it in one line, so that a Finding can be returned as an error.
func (f *Finding) Error() string { return f.Role + ": " + f.Says }

// String is the finding for a report: place, value, what is wrong, what to do.
func (f *Finding) String() string {
	var b strings.Builder
	b.WriteString(f.Role)
	if f.Field != "" {
		b.WriteString(" " + f.Field)
	}
	if f.Value != "" {
		b.WriteString(" (" + f.Value + ")")
	}
	fmt.Fprintf(&b, ": %s [%s]; %s", f.Says, f.Rule, f.Do)
	return b.String()
}

// Findings are those of one or more files.
type Findings []*Finding

// First gives the first finding as an error, nil if there is none.
func (f Findings) First() error {
	if len(f) == 0 {
		return nil
	}
	return f[0]
}

// Only keeps the findings of some rules.
func (f Findings) Only(rules ...Rule) Findings {
	return f.filter(rules, true)
}

// Without leaves out the findings of some rules.
func (f Findings) Without(rules ...Rule) Findings {
	return f.filter(rules, false)
}

func (f Findings) filter(rules []Rule, keep bool) Findings {
	var out Findings
	for _, one := range f {
		named := false
		for _, r := range rules {
			named = named || r == one.Rule
		}
		if named == keep {
			out = append(out, one)
		}
	}
	return out
}

// report collects the findings of one file.
type report struct {
	role  string
	found Findings
}

// place is where in a file something was found.
type place struct {
	rule  Rule
	field string
	value any // nil: nothing worth showing
}

// add notes a finding. do is what to do about it.
func (r *report) add(p place, do, format string, args ...any) {
	value := ""
	if p.value != nil {
		value = clip(fmt.Sprint(p.value))
	}
	r.found = append(r.found, &Finding{Rule: p.rule, Role: r.role, Field: p.field, Value: value, Says: fmt.Sprintf(format, args...), Do: do})
}

// clip shortens what others wrote, for messages.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// short is the beginning of a key id or hash, for messages.
func short(id string) string {
	if len(id) > 12 {
		return id[:12]
	}
	return id
}
