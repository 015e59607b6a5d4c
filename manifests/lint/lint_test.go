package lint_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/lint"
)

func TestGoodTreeHasNoFinding(t *testing.T) {
	if found := good(t).lint(); len(found) > 0 {
		t.Errorf("%v", found)
	}
}

// fixture breaks one rule of the good tree.
type fixture struct {
	rule  lint.Rule
	says  string
	spoil func(x *tree)
}

func replace(role, old, by string) func(*tree) {
	return func(x *tree) {
		x.raw = func(r string, data []byte) []byte {
			if r != role {
				return data
			}
			if !bytes.Contains(data, []byte(old)) {
				x.t.Fatalf("%s has no %s", role, old)
			}
			return bytes.Replace(data, []byte(old), []byte(by), 1)
		}
	}
}

var fixtures = map[string]fixture{
	"not JSON":              {lint.RuleForm, "not one JSON", replace("targets", `{`, `<`)},
	"two documents":         {lint.RuleForm, "after its end", func(x *tree) { x.raw = func(_ string, b []byte) []byte { return append(b, "{}"...) } }},
	"not UTF-8":             {lint.RuleForm, "UTF-8", replace("root", `Alice`, "A\xff")},
	"version is text":       {lint.RuleForm, "version", replace("root", `"version":2`, `"version":"2"`)},
	"null":                  {lint.RuleNull, "is null", replace("releases-phone", `"signatures":[`, `"signatures":[null,`)},
	"float":                 {lint.RuleInteger, "whole", replace("snapshot", `"version":2`, `"version":2.0`)},
	"exponent":              {lint.RuleInteger, "whole", replace("snapshot", `"version":2`, `"version":2e0`)},
	"field twice":           {lint.RuleTwice, "twice", replace("root", `"version":2`, `"version":9,"version":2`)},
	"unknown field":         {lint.RuleField, `"x"`, func(x *tree) { signed(x.root)["x"] = "y" }},
	"field in other case":   {lint.RuleField, "Expires", replace("targets", `"expires"`, `"Expires"`)},
	"field of a row":        {lint.RuleField, "roles.root.x", func(x *tree) { x.row("root")["x"] = "y" }},
	"hash prefixes":         {lint.RuleField, "path_hash_prefixes", func(x *tree) { x.rows()[1].(object)["path_hash_prefixes"] = []any{"00"} }},
	"foreign word":          {lint.RuleField, "x-next-by", func(x *tree) { signed(x.targets)[layout.FieldNextBy] = at(1) }},
	"retires a live build":  {lint.RuleField, "x-retires", func(x *tree) { signed(x.releases)[layout.FieldRetires] = []any{41} }},
	"spare keys of nothing": {lint.RuleField, "x-spare-votes", func(x *tree) { signed(x.releases)[layout.FieldSpare] = []any{99} }},
	"spare keys by name":    {lint.RuleForm, "x-spare-votes", func(x *tree) { signed(x.releases)[layout.FieldSpare] = "43" }},
	"201 kB":                {lint.RuleSize, "at most", func(x *tree) { signed(x.releases)["x"] = strings.Repeat("x", 200<<10) }},
	"a root called targets": {lint.RuleType, "not", func(x *tree) { signed(x.targets)["_type"] = "root" }},
	"version 0":             {lint.RuleVersion, "the first is 1", func(x *tree) { signed(x.root)["version"] = 0 }},
	"same version":          {lint.RuleVersion, "does not rise", func(x *tree) { signed(x.beforeTargets)["version"] = 2 }},
	"falling releases":      {lint.RuleVersion, "does not rise", func(x *tree) { signed(x.beforeReleases)["version"] = 3 }},
	"version in a snapshot": {lint.RuleVersion, "the first is 1", func(x *tree) { signed(x.snapshot)["meta"].(object)["rollouts.json"].(object)["version"] = 0 }},
	"expired":               {lint.RuleExpired, "expired", func(x *tree) { signed(x.targets)["expires"] = at(0) }},
	"root for years":        {lint.RuleLife, "at most 365 days", func(x *tree) { signed(x.root)["expires"] = at(367) }},
	"releases for a year":   {lint.RuleLife, "at most 120 days", func(x *tree) { signed(x.releases)["expires"] = at(365) }},
	"timestamp for a week":  {lint.RuleLife, "at most 2 days", func(x *tree) { signed(x.timestamp)["expires"] = at(7) }},
	"signed twice by one":   {lint.RuleSignature, "signs twice", replace("targets", `"keyid":"b"`, `"keyid":"a"`)},
	"P-384":                 {lint.RuleKey, "only", func(x *tree) { anyKey(x.root)["scheme"] = "ecdsa-sha2-nistp384" }},
	"short key":             {lint.RuleKey, "64 hex digits", func(x *tree) { anyKey(x.root)["keyval"] = object{"public": "ab"} }},
	"capital hex":           {lint.RuleKey, "64 hex digits", func(x *tree) { anyKey(x.root)["keyval"] = object{"public": strings.Repeat("AB", 32)} }},
	"key under another id":  {lint.RuleKey, "filed under", func(x *tree) { anyKey(x.targets)["keyval"] = object{"public": strings.Repeat("ab", 32)} }},
	"key listed twice":      {lint.RuleKey, "listed twice", func(x *tree) { r := x.row("root"); r["keyids"] = append(r["keyids"].([]any), r["keyids"].([]any)[0]) }},
	"key not in the table":  {lint.RuleKey, "not in the table", func(x *tree) { signed(x.targets)["delegations"].(object)["keys"] = object{} }},
	"a role is missing":     {lint.RuleRoles, "missing", func(x *tree) { delete(signed(x.root)["roles"].(object), "targets") }},
	"mirrors":               {lint.RuleRoles, "5 roles", func(x *tree) { signed(x.root)["roles"].(object)["mirrors"] = x.row("snapshot") }},
	"inconsistent":          {lint.RuleSnapshots, "consistent_snapshot", func(x *tree) { signed(x.root)["consistent_snapshot"] = false }},
	"one of three":          {lint.RuleThreshold, "threshold 1 of 3", func(x *tree) { x.row("root")["threshold"] = 1 }},
	"three of two":          {lint.RuleThreshold, "threshold 3 of 2", func(x *tree) { x.rows()[1].(object)["threshold"] = 3 }},
	"nobody named":          {lint.RulePeople, "names 0 people", func(x *tree) { delete(x.rows()[1].(object), layout.FieldHolders) }},
	"one person twice":      {lint.RulePeople, "holds two keys", func(x *tree) { name(x.row("root"), 1, "ALICE  chen") }},
	"a name on two lines":   {lint.RulePeople, "one line", func(x *tree) { name(x.row("root"), 1, "Bob\nby") }},
	"an online person":      {lint.RuleOnline, "names a person", func(x *tree) { x.row("snapshot")[layout.FieldHolders] = object{"a": "Alice"} }},
	"two of the service":    {lint.RuleOnline, "one key of its own", func(x *tree) { x.row("snapshot")["threshold"] = 2 }},
	"two roles, one key":    {lint.RuleShared, "shares its key", func(x *tree) { x.row("timestamp")["keyids"] = x.row("snapshot")["keyids"] }},
	"root by the service":   {lint.RuleShared, "online key", func(x *tree) { swap(x.row("root"), x.row("snapshot")) }},
	"engineer in root":      {lint.RuleShared, "root or targets", func(x *tree) { swap(x.rows()[1].(object), x.row("root")) }},
	"engineer online":       {lint.RuleShared, "online key", func(x *tree) { swap(x.rows()[1].(object), x.rows()[0].(object)) }},
	"targets with a file":   {lint.RuleFiles, "only delegate", func(x *tree) { signed(x.targets)["targets"] = object{"a": target(1)} }},
	"no delegations":        {lint.RuleDelegate, "plain list", func(x *tree) { delete(signed(x.targets), "delegations") }},
	"not terminating":       {lint.RuleDelegate, "terminating", func(x *tree) { x.rows()[1].(object)["terminating"] = false }},
	"another's paths":       {lint.RuleDelegate, "alone", func(x *tree) { x.rows()[1].(object)["paths"] = []any{"releases/*/*.json"} }},
	"unknown role":          {lint.RuleDelegate, "are delegated", func(x *tree) { x.rows()[1].(object)["name"] = "other" }},
	"role in capitals":      {lint.RuleDelegate, "are delegated", func(x *tree) { x.rows()[1].(object)["name"] = "releases-Phone" }},
	"two delegators":        {lint.RuleDelegate, "two delegations", func(x *tree) { signed(x.targets)["delegations"].(object)["roles"] = append(x.rows(), x.rows()[1]) }},
	"rollouts not first":    {lint.RuleDelegate, "first delegation", func(x *tree) { slices.Reverse(x.rows()) }},
	"releases delegate":     {lint.RuleDelegate, "only targets may", func(x *tree) { signed(x.releases)["delegations"] = object{"keys": object{}, "roles": []any{}} }},
	"101 releases":          {lint.RuleCount, "at most 100", func(x *tree) { signed(x.releases)["targets"] = many(101) }},
	"path that climbs":      {lint.RulePath, "not a release", func(x *tree) { signed(x.releases)["targets"] = object{"releases/phone/../41.json": target(1)} }},
	"another product":       {lint.RulePath, "not a release", func(x *tree) { signed(x.releases)["targets"] = object{"releases/watch/41.json": target(1)} }},
	"path of a rollout":     {lint.RulePath, "not the rollouts", func(x *tree) { signed(x.rollouts)["targets"] = object{"rollouts/Phone.json": target(1)} }},
	"second hash": {lint.RuleHash, "one sha256", func(x *tree) {
		t := target(1)
		t["hashes"].(object)["sha512"] = strings.Repeat("00", 64)
		signed(x.releases)["targets"] = object{"releases/phone/41.json": t}
	}},
	"no length in a snapshot": {lint.RuleHash, "one sha256", func(x *tree) { delete(signed(x.snapshot)["meta"].(object)["rollouts.json"].(object), "length") }},
	"no next word":            {lint.RuleWord, "must sign x-next-by", func(x *tree) { delete(signed(x.releases), layout.FieldNextBy) }},
	"next word too late":      {lint.RuleWord, "before the expiry", func(x *tree) { signed(x.releases)[layout.FieldNextBy] = at(100) }},
	"delegation dropped":      {lint.RuleDropped, "never leaves", func(x *tree) { signed(x.targets)["delegations"].(object)["roles"] = x.rows()[:1] }},
	"role not in snapshot":    {lint.RuleDropped, "does not name", func(x *tree) { delete(signed(x.snapshot)["meta"].(object), "releases-phone.json") }},
	"snapshot drops a role": {lint.RuleDropped, "refuse a snapshot", func(x *tree) {
		signed(x.beforeSnapshot)["meta"].(object)["releases-watch.json"] = meta(1)
	}},
	"no issue time":     {lint.RuleIssued, "when it was made", func(x *tree) { delete(signed(x.timestamp), layout.FieldIssued) }},
	"issued after end":  {lint.RuleIssued, "after its own end", func(x *tree) { signed(x.timestamp)[layout.FieldIssued] = at(2) }},
	"no snapshot named": {lint.RuleForm, "does not name a snapshot", func(x *tree) { signed(x.timestamp)["meta"] = object{} }},
	"offer too long": {lint.RuleDocument, "offerUntil", func(x *tree) {
		x.next.OfferUntil = manifests.At(start.AddDate(3, 0, 0))
		x.next.SupportUntil = x.next.OfferUntil
	}},
	"no pace":          {lint.RuleDocument, "pace", func(x *tree) { x.next.Pace = []manifests.PaceStep{} }},
	"unknown urgency":  {lint.RuleDocument, "urgency", func(x *tree) { x.next.Urgency.MaxKind = "now" }},
	"before its start": {lint.RuleDocument, "offerUntil", func(x *tree) { x.next.NotBefore = x.next.OfferUntil }},
	"white space":      {lint.RuleDocument, "one form", replace("release", `,"`, `, "`)},
	"build goes back":  {lint.RuleRising, "does not rise", func(x *tree) { x.next = x.release(42, 41); x.live[2].Build = 43 }},
	"epoch leaps":      {lint.RuleFollows, "more than one", func(x *tree) { x.next.SecurityEpoch += 2 }},
	"epoch falls":      {lint.RuleFollows, "securityEpoch", func(x *tree) { x.live[2].SecurityEpoch++ }},
	"label widens over a skipped build": {lint.RuleFollows, "build 41", func(x *tree) {
		c := manifests.Collection{Data: "contacts", Purpose: manifests.Text{"en": "x"}, Default: manifests.Off, Stored: manifests.StoredNone}
		x.live[2].Privacy.Collects, x.next.Privacy.Collects = []manifests.Collection{c}, []manifests.Collection{c}
	}},
	"rollback to other images": {lint.RuleRollback, "not that of build 40", func(x *tree) {
		x.next.Rollback = &manifests.Rollback{Contents: 40, From: []manifests.Build{42}}
	}},
	"retires the newest":       {lint.RuleStone, "newest", func(x *tree) { x.retired = []manifests.Build{43} }},
	"retires a stepping stone": {lint.RuleStone, "on their way", func(x *tree) { x.retired = []manifests.Build{40} }},
	"retires what is offered":  {lint.RuleStone, "offers it", func(x *tree) { x.retired, x.offered = []manifests.Build{42}, []manifests.Build{42} }},
	"retires what is not live": {lint.RuleStone, "not live", func(x *tree) { x.retired = []manifests.Build{39} }},
}

func anyKey(o object) object {
	keys := signed(o)["keys"]
	if keys == nil {
		keys = signed(o)["delegations"].(object)["keys"]
	}
	for _, k := range keys.(object) {
		return k.(object)
	}
	return nil
}

func name(row object, i int, person string) {
	row[layout.FieldHolders].(object)[row["keyids"].([]any)[i].(string)] = person
}

func swap(row, other object) {
	ids := slices.Clone(row["keyids"].([]any))
	ids[0] = other["keyids"].([]any)[0]
	row["keyids"] = ids
	row[layout.FieldHolders] = object{ids[0].(string): "Mallory", ids[1].(string): "Bob"}
}

// TestEachRuleBites breaks each rule once or more: it is found, under its name,
// with a place and with what to do.
func TestEachRuleBites(t *testing.T) {
	covered := map[lint.Rule]bool{}
	for name, c := range fixtures {
		t.Run(name, func(t *testing.T) {
			x := good(t)
			c.spoil(x)
			all := x.lint()
			covered[c.rule] = true
			if !slices.ContainsFunc(all.Only(c.rule), func(f *lint.Finding) bool {
				return strings.Contains(f.Says, c.says) && f.Role != "" && f.Do != ""
			}) {
				t.Errorf("no finding of rule %s that says %q in %v", c.rule, c.says, all)
			}
		})
	}
	for _, r := range lint.Rules {
		if !covered[r] {
			t.Errorf("rule %s has no fixture", r)
		}
	}
}

// TestAllFindingsAreReported: people mend a tree in one go.
func TestAllFindingsAreReported(t *testing.T) {
	x := good(t)
	signed(x.root)["consistent_snapshot"] = false
	x.row("root")["threshold"] = 1
	x.row("targets")["threshold"] = 9
	delete(signed(x.releases), layout.FieldNextBy)
	x.next.Pace, x.next.Urgency.MaxKind = []manifests.PaceStep{}, "now"
	x.next.SecurityEpoch += 2
	if all := x.lint(); len(all) != 8 { // the leaping epoch is found over each of the two builds that it may replace
		for _, f := range all {
			t.Log(f)
		}
		t.Errorf("%d findings", len(all))
	}
}

func TestHighestStoneIsKept(t *testing.T) {
	x := good(t)
	live := []*manifests.Release{x.release(10, 0), x.release(11, 0), x.release(20, 11), x.release(21, 11), x.release(30, 20), x.release(31, 20)}
	needed := lint.Needed(live, nil)
	for b, want := range map[manifests.Build]bool{10: false, 11: true, 20: false, 21: true, 30: false, 31: true} {
		if (needed[b] != "") != want {
			t.Errorf("build %d: %q", b, needed[b])
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("root", []byte(`{"signatures":[{"keyid":"a","sig":"00"}],"signed":{"_type":"root","version":1,"expires":"2030-01-01T00:00:00Z","keys":{"a":{"keytype":"ecdsa","scheme":"ecdsa-sha2-nistp256","keyval":{"public":"x"}}},"roles":{"root":{"keyids":["a"],"threshold":1,"x-holders":{"a":"b"}}}}}`))
	f.Add("targets", []byte(`{"signatures":[],"signed":{"delegations":{"keys":{},"roles":[{"name":"releases-a","keyids":[],"threshold":0}]},"targets":{"a":null}}}`))
	f.Add("releases-a", []byte(`{"signatures":[null],"signed":{"targets":{"releases/a/1.json":{"length":1,"hashes":{"sha256":"00"}}},"x-retires":[1,1],"x-next-by":7}}`))
	f.Add("snapshot", []byte(`{"signatures":{},"signed":{"meta":{"a.json":{"version":-1}}}}`))
	f.Add("timestamp", []byte(`[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[`))
	f.Fuzz(func(t *testing.T, role string, data []byte) {
		file, found := lint.Read(role, data)
		if file == nil {
			if len(found) == 0 {
				t.Fatal("not read, and no finding says why")
			}
			return
		}
		lint.CheckRoot(file, nil)
		lint.CheckTargets(file, file, lint.Ours{{"rollouts": "x"}})
		lint.CheckReleases("a", file)
		lint.CheckRollouts(file)
		lint.CheckSnapshot(file, file)
		lint.CheckTimestamp(file)
		lint.CheckNext(file, file)
		lint.CheckTimes(file, start)
	})
}
