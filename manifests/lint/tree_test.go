package lint_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/image/imagetest"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/lint"
)

var start = time.Date(2014, 8, 10, 12, 0, 0, 0, time.UTC)

type object = map[string]any

// tree is a whole, good tree as plain JSON values, to be spoilt.
type tree struct {
	t                                             *testing.T
	root, targets, releases, snapshot, timestamp  object
	rollouts                                      object
	beforeTargets, beforeSnapshot, beforeReleases object
	live                                          []*manifests.Release
	next                                          *manifests.Release
	offered, retired                              []manifests.Build
	raw                                           func(role string, data []byte) []byte // spoils bytes
}

func key(n byte) (id string, k object) {
	public := hex.EncodeToString(slices.Repeat([]byte{n}, 32))
	return lint.Key{Type: "ed25519", Scheme: "ed25519", Public: public}.ID(), object{"keytype": "ed25519", "scheme": "ed25519", "keyval": object{"public": public}}
}

// table lists keys by number, with their people unless there are none.
func table(threshold int, people []string, numbers ...byte) (row, keys object) {
	ids, holders := []any{}, object{}
	keys = object{}
	for i, n := range numbers {
		id, k := key(n)
		ids, keys[id] = append(ids, id), k
		if people != nil {
			holders[id] = people[i]
		}
	}
	row = object{"keyids": ids, "threshold": threshold}
	if people != nil {
		row[layout.FieldHolders] = holders
	}
	return row, keys
}

func at(days int) string { return start.AddDate(0, 0, days).Format(time.RFC3339) }

func role(kind string, days int, more object) object {
	signed := object{"_type": kind, "spec_version": "1.0.31", "version": 2, "expires": at(days)}
	maps.Copy(signed, more)
	return object{"signatures": []any{object{"keyid": "a", "sig": "00"}, object{"keyid": "b", "sig": "00"}}, "signed": signed}
}

func target(n byte) object {
	sum := sha256.Sum256([]byte{n})
	return object{"length": 10, "hashes": object{"sha256": hex.EncodeToString(sum[:])}}
}

func meta(version int) object {
	m := target(byte(version))
	m["version"] = version
	return m
}

func good(t *testing.T) *tree {
	t.Helper()
	x := &tree{t: t}
	people, keys := table(2, []string{"Alice Chen", "Bob", "Carol"}, 1, 2, 3)
	snapshot, more := table(1, nil, 4)
	maps.Copy(keys, more)
	timestamp, more := table(1, nil, 5)
	maps.Copy(keys, more)
	x.root = role("root", 300, object{
		"consistent_snapshot": true, "keys": keys,
		"roles": object{"root": people, "targets": maps.Clone(people), "snapshot": snapshot, "timestamp": timestamp},
	})
	rollouts, keys := table(1, nil, 6)
	engineers, more := table(2, []string{"Dora", "Emil"}, 7, 8)
	maps.Copy(keys, more)
	maps.Copy(rollouts, object{"name": "rollouts", "terminating": true, "paths": []any{"rollouts/*.json"}})
	maps.Copy(engineers, object{"name": "releases-phone", "terminating": true, "paths": []any{"releases/phone/*.json"}})
	x.targets = role("targets", 300, object{"targets": object{}, "delegations": object{"keys": keys, "roles": []any{rollouts, engineers}}})
	x.releases = role("targets", 100, object{"targets": object{"releases/phone/41.json": target(1)}, layout.FieldNextBy: at(50)})
	x.rollouts = role("targets", 5, object{"targets": object{"rollouts/phone.json": target(1)}})
	x.snapshot = role("snapshot", 5, object{"meta": object{"targets.json": meta(2), "rollouts.json": meta(2), "releases-phone.json": meta(2)}})
	x.timestamp = role("timestamp", 1, object{"meta": object{"snapshot.json": meta(2)}, layout.FieldIssued: at(0)})
	x.live = []*manifests.Release{x.release(40, 0), x.release(41, 40), x.release(42, 41)}
	x.next = x.release(43, 41)
	x.beforeTargets, x.beforeSnapshot, x.beforeReleases = x.older(x.targets), x.older(x.snapshot), x.older(x.releases)
	return x
}

func (x *tree) older(of object) object {
	x.t.Helper()
	data, err := json.Marshal(of)
	if err != nil {
		x.t.Fatal(err)
	}
	var out object
	if err := json.Unmarshal(data, &out); err != nil {
		x.t.Fatal(err)
	}
	signed(out)["version"] = 1
	return out
}

func (x *tree) release(build, least manifests.Build) *manifests.Release {
	r := imagetest.Release("phone", build, start, imagetest.Unseen(build, imagetest.Blob([]byte("firmware"))))
	r.Compatible.Models, r.Compatible.MinBuild = []manifests.Name{"mi3"}, least
	return r
}

func signed(o object) object { return o["signed"].(object) }

func (x *tree) rows() []any { return signed(x.targets)["delegations"].(object)["roles"].([]any) }

func (x *tree) row(name string) object { return signed(x.root)["roles"].(object)[name].(object) }

func (x *tree) read(role string, o object) (*lint.File, lint.Findings) {
	x.t.Helper()
	data, err := json.Marshal(o)
	if err != nil {
		x.t.Fatal(err)
	}
	if x.raw != nil {
		data = x.raw(role, data)
	}
	f, found := lint.Read(role, data)
	if f == nil {
		f = &lint.File{Role: role, Expires: start.Add(time.Hour)}
	}
	return f, found
}

// lint applies every rule to the whole tree.
func (x *tree) lint() lint.Findings {
	x.t.Helper()
	var all lint.Findings
	read := func(role string, o object) *lint.File {
		f, found := x.read(role, o)
		all = append(append(all, found...), lint.CheckTimes(f, start)...)
		return f
	}
	old := func(role string, o object) *lint.File {
		f, _ := x.read(role, o)
		return f
	}
	root, targets := read("root", x.root), read("targets", x.targets)
	releases, rollouts := read("releases-phone", x.releases), read("rollouts", x.rollouts)
	snapshot, timestamp := read("snapshot", x.snapshot), read("timestamp", x.timestamp)
	for _, found := range []lint.Findings{
		lint.CheckRoot(root, nil), lint.CheckTargets(root, targets, nil), lint.CheckReleases("phone", releases), lint.CheckRollouts(rollouts),
		lint.CheckSnapshot(targets, snapshot), lint.CheckTimestamp(timestamp),
		lint.CheckNext(old("targets", x.beforeTargets), targets), lint.CheckNext(old("snapshot", x.beforeSnapshot), snapshot),
		lint.CheckNext(old("releases-phone", x.beforeReleases), releases),
		lint.CheckSuccession("releases/phone/43.json", x.next, x.live, true),
		lint.CheckRetirement("phone", append(slices.Clone(x.live), x.next), x.offered, x.retired),
	} {
		all = append(all, found...)
	}
	data, err := x.next.Canonical()
	if err != nil {
		x.t.Fatal(err)
	}
	if x.raw != nil {
		data = x.raw("release", data)
	}
	_, found := lint.CheckDocument("releases/phone/43.json", data)
	return append(all, found...)
}

func many(n int) object {
	out := object{}
	for b := range n {
		out[fmt.Sprintf("releases/phone/%d.json", b+1)] = target(1)
	}
	return out
}
