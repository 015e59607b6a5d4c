package diagnosistest

import (
	"bytes"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/diagnosis"
)

// Case is one failure, as both programs have to explain it.
type Case struct {
	Name string
	Kind diagnosis.Kind // of the first failure that is named
	Tree *Tree
	// File is what the signer is asked about; "": the whole tree.
	File string
	// Floors are the versions that a handset has seen; nil: none. A handset has
	// root 1 in any case.
	Floors map[string]int64
	// Product is what the handset is for; "" is Product.
	Product manifests.Product
	// SignerOnly: handsets do not judge it. HandsetOnly: only who remembers can.
	SignerOnly, HandsetOnly bool
	// Root says that the second root is the one that the signer trusts.
	Root *Tree
}

func replaceOnce(s, from, to string) string { return strings.Replace(s, from, to, 1) }

const releases = "releases-phone"

// Fine is a tree in which everything holds.
func Fine() *Tree { return build(spec{}) }

// Cases are all failures, with a real tree of each.
func Cases() []Case {
	return append(append(signatures(), times()...), forms()...)
}

func signatures() []Case {
	return []Case{
		{Name: "threshold", Kind: diagnosis.Threshold, Tree: build(spec{signers: of(releases, "dora")})},
		{Name: "foreign-key", Kind: diagnosis.ForeignKey, Tree: build(spec{signers: of(releases, "dora", "mallory")})},
		{Name: "other-bytes", Kind: diagnosis.OtherBytes, Tree: build(spec{spoil: one(releases, replace(`"x-next-by":"2027-01-19`, `"x-next-by":"2027-01-09`))})},
		{Name: "root-chain", Kind: diagnosis.RootChain, Tree: build(spec{roots: [][]string{{"mallory", "dora"}}})},
		{Name: "root-gap", Kind: diagnosis.RootGap, Tree: build(spec{roots: [][]string{{"alice", "bob"}, {"alice", "carol"}}, then: without(Path("root", 2))})},
		{Name: "other-root", Kind: diagnosis.OtherRoot, Tree: build(spec{edit: map[string]func(map[string]any){"root": func(body map[string]any) {
			body["expires"] = Now.AddDate(2, 0, 0).Format(time.RFC3339)
		}}})},
		{Name: "not-delegated", Kind: diagnosis.NotDelegated, Product: "tablet", File: Path("releases-tablet", 1), Tree: build(spec{then: func(t *Tree) {
			t.Files[Path("releases-tablet", 1)] = t.Files[Path(releases, 1)]
		}})},
		{Name: "rule", Kind: diagnosis.Rule, SignerOnly: true, Tree: build(spec{edit: map[string]func(map[string]any){"targets": func(body map[string]any) {
			roles := body["delegations"].(map[string]any)["roles"].([]any)
			roles[1].(map[string]any)["threshold"] = 1
		}}})},
	}
}

func times() []Case {
	past := func(role string, ago time.Duration) map[string]time.Time {
		return map[string]time.Time{role: Now.Add(-ago)}
	}
	return []Case{
		{Name: "expired", Kind: diagnosis.Expired, Tree: build(spec{
			expires: past(releases, 72*time.Hour), edit: map[string]func(map[string]any){releases: func(body map[string]any) {
				body["x-next-by"] = Now.AddDate(0, 0, -30).Format(time.RFC3339)
			}},
		})},
		{Name: "expired-online", Kind: diagnosis.Expired, Tree: build(spec{expires: past("timestamp", 5*time.Hour), issued: Now.Add(-53 * time.Hour)})},
		{Name: "clock", Kind: diagnosis.Clock, Tree: build(spec{issued: Now.Add(26 * time.Hour)})},
		{
			Name: "rollback", Kind: diagnosis.Rollback, File: Path("snapshot", 1), Floors: map[string]int64{"snapshot": 5},
			Tree: build(spec{version: map[string]int64{"snapshot": 3}, then: func(t *Tree) {
				t.Files[Path("snapshot", 1)] = build(spec{}).Files[Path("snapshot", 1)]
			}}),
		},
		{Name: "stale-mirror", Kind: diagnosis.StaleMirror, HandsetOnly: true, Floors: map[string]int64{"timestamp": 9}, Tree: build(spec{version: map[string]int64{"timestamp": 7}})},
		{Name: "stale-root", Kind: diagnosis.StaleMirror, Tree: build(spec{}), Root: build(spec{roots: [][]string{{"alice", "bob"}}}), SignerOnly: true},
	}
}

func forms() []Case {
	stamp := Path("timestamp", 0)
	damaged := func(name string, change func([]byte) []byte) Case {
		return Case{Name: "malformed-" + name, Kind: diagnosis.Malformed, Tree: build(spec{damage: one(stamp, change)})}
	}
	return []Case{
		damaged("page", func([]byte) []byte { return []byte("<!DOCTYPE html><title>Log in</title>") }),
		damaged("cut", func(data []byte) []byte { return data[:len(data)/2] }),
		damaged("long", func(data []byte) []byte { return append(data, bytes.Repeat([]byte(" "), 6<<20)...) }),
		damaged("twice", replace(`"spec_version":`, `"version":1,"spec_version":`)),
		damaged("null", replace(`"spec_version":"1.0.31"`, `"spec_version":null`)),
		damaged("fraction", replace(`"version":1`, `"version":1.5`)),
		{Name: "malformed-field", Kind: diagnosis.Malformed, SignerOnly: true, Tree: build(spec{edit: map[string]func(map[string]any){
			releases: func(body map[string]any) { body["surprise"] = 1 },
		}})},
		{Name: "mismatch", Kind: diagnosis.Mismatch, Tree: build(spec{damage: one(Path(releases, 1), func(data []byte) []byte { return append(data, '\n') })})},
		{Name: "mismatch-version", Kind: diagnosis.Mismatch, Tree: build(spec{version: map[string]int64{releases: 2}, then: func(t *Tree) {
			t.Files[Path(releases, 2)] = build(spec{}).Files[Path(releases, 1)]
		}})},
		{Name: "missing", Kind: diagnosis.Missing, Tree: build(spec{then: without(Path("targets", 1))})},
		{Name: "wrong-kind", Kind: diagnosis.WrongKind, Tree: build(spec{then: func(t *Tree) { t.Files[stamp] = t.Files[Path("snapshot", 1)] }})},
		{Name: "document", Kind: diagnosis.Mismatch, Tree: build(spec{then: func(t *Tree) {
			for path, data := range t.Files {
				if strings.HasPrefix(path, "targets/releases/") {
					t.Files[path] = bytes.Replace(data, []byte(`"build":42`), []byte(`"build":43`), 1)
				}
			}
		}})},
	}
}

func of(role string, names ...string) map[string][]string { return map[string][]string{role: names} }

func one(what string, change func([]byte) []byte) map[string]func([]byte) []byte {
	return map[string]func([]byte) []byte{what: change}
}

func without(path string) func(*Tree) { return func(t *Tree) { delete(t.Files, path) } }
