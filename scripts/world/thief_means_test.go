package world_test

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
)

// power is one thing that can be stolen.
type power uint8

const (
	stolenRollouts power = 1 << iota
	stolenSnapshot
	stolenTimestamp
	stolenVotes
	stolenDatabase
	stolenCDN
	stolenClock
)

var powers = []struct {
	power power
	name  string
}{
	{stolenRollouts, "rollouts"},
	{stolenSnapshot, "snapshot"},
	{stolenTimestamp, "timestamp"},
	{stolenVotes, "vote-master"},
	{stolenDatabase, "database"},
	{stolenCDN, "cdn"},
	{stolenClock, "clock"},
}

const everything = power(1<<7 - 1)

// attempt is one attack, from the factory on. Whatever it does goes through the
// means below, each of which first asks whether the thief has it.
type attempt struct {
	*maker
	net     *streets
	name    string
	has     func(power) bool
	now     time.Time // what it is o'clock
	victims []*victim
	votes   *voteService
	forged  int  // trees
	broken  bool // the handset did not do its part even before the thief came
	gone    []func()
}

// victim is a handset and what the thief serves to it alone.
type victim struct {
	*handset
	a     *attempt
	files map[string][]byte // in place of what is published
	stamp []byte            // in place of the newest timestamp
	dark  bool              // nothing is answered
	held  bool              // its clock stands still
}

func (a *attempt) victim(p person) *victim {
	a.t.Helper()
	v := &victim{a: a, files: map[string][]byte{}}
	address, gone := a.net.add(fmt.Sprintf("%s-%d", a.name, len(a.victims)), v)
	p.server = address
	v.handset = newHandset(a.t, a.maker, a.now, p)
	a.victims, a.gone = append(a.victims, v), append(a.gone, gone, v.close)
	return v
}

func (v *victim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		v.a.votes.ServeHTTP(w, r)
		return
	}
	if v.dark {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	files(w, r, func(path string) ([]byte, bool) {
		if data, ok := v.files[path]; ok {
			return data, true
		}
		if path != layout.TimestampFile {
			data, ok := v.a.files[path]
			return data, ok
		}
		if v.stamp != nil {
			return v.stamp, true
		}
		return v.a.stamps[len(v.a.stamps)-1], true
	})
}

// until lets time pass for everybody. Then the service signs anew, whoever
// meddled with its database.
func (a *attempt) until(t time.Time) {
	a.t.Helper()
	passed := t.Sub(a.now)
	a.now = t
	for _, v := range a.victims {
		v.senses.real += passed
		if !v.held {
			v.senses.now = v.senses.now.Add(passed)
		}
	}
	a.publish(t)
}

func (a *attempt) ref(b manifests.Build) rollout.Reference {
	t := a.rels.Signed.Targets[layout.ReleasePath(product, b)]
	return rollout.Reference{Path: layout.ReleasePath(product, b), Length: t.Length, SHA256: manifests.SHA256(t.Hashes["sha256"])}
}

// clock sets a handset's clock, and may hold it there.
func (a *attempt) clock(v *victim, to time.Time, hold bool) {
	if a.has(stolenClock) {
		v.senses.now, v.held = to, hold
	}
}

// database changes rows; the service signs what they say.
func (a *attempt) database(edit func([]rollout.Rollout) []rollout.Rollout) {
	a.t.Helper()
	if a.has(stolenDatabase) {
		a.rows = edit(append([]rollout.Rollout(nil), a.rows...))
		a.publish(a.now)
	}
}

// replay serves an older timestamp, and with it all that it names.
func (a *attempt) replay(v *victim, stamp int) {
	if a.has(stolenCDN) {
		v.stamp = a.stamps[stamp]
	}
}

func (a *attempt) darken(v *victim) {
	if a.has(stolenCDN) {
		v.dark = true
	}
}

// swap serves other bytes under a name.
func (a *attempt) swap(v *victim, path string, data []byte) {
	if a.has(stolenCDN) {
		v.files[path] = data
	}
}

// forgery is a tree that the thief makes of a published one.
type forgery struct {
	on        *int // the timestamp on which it rests; nil: the newest
	rollouts  func([]rollout.Rollout) []rollout.Rollout
	smuggle   func(*metadata.Metadata[metadata.TargetsType]) // into the rollouts role
	engineers func(*metadata.Metadata[metadata.TargetsType]) // signed with the thief's own key
	issued    time.Time                                      // now, if zero
	expires   time.Time                                      // of whatever he can sign
	own       bool                                           // where he has no key, he signs with his own; else he leaves the file as it was
}

// forge serves a forgery to one handset. Each role is signed with the key that
// was stolen; without it, not at all or with a key that nobody listed.
func (a *attempt) forge(v *victim, f forgery) {
	a.t.Helper()
	if !a.has(stolenCDN) {
		return
	}
	on := len(a.stamps) - 1
	if f.on != nil {
		on = *f.on
	}
	if f.issued.IsZero() {
		f.issued = a.now
	}
	if f.expires.IsZero() {
		f.expires = f.issued.Add(12 * time.Hour)
	}
	stamp, err := metadata.Timestamp().FromBytes(a.stamps[on])
	a.must(err)
	snap, err := metadata.Snapshot().FromBytes(a.files[layout.MetadataFile(metadata.SNAPSHOT, stamp.Signed.Meta["snapshot.json"].Version)])
	a.must(err)
	a.forged++
	version := int64(1000*a.forged) + int64(a.counter)
	a.forgeRollouts(v, f, snap, version)
	if f.engineers != nil {
		role, err := metadata.Targets().FromBytes(a.files[layout.MetadataFile(releasesRole, snap.Signed.Meta[releasesRole+".json"].Version)])
		a.must(err)
		f.engineers(role)
		role.Signed.Version, role.Signed.Expires = version, f.expires
		thief := tufKeys()["thief"]
		v.vouch(snap, releasesRole, version, sealed(a.t, role, thief...))
	}
	if k, ok := a.key(metadata.SNAPSHOT, stolenSnapshot, f.own); ok {
		snap.Signed.Version, snap.Signed.Expires = version, f.expires
		data := sealed(a.t, snap, k)
		v.files[layout.MetadataFile(metadata.SNAPSHOT, version)] = data
		stamp.Signed.Meta["snapshot.json"] = metaOf(version, data)
	}
	if k, ok := a.key(metadata.TIMESTAMP, stolenTimestamp, f.own); ok {
		stamp.Signed.Version, stamp.Signed.Expires = version, f.expires
		stamp.Signed.UnrecognizedFields[layout.FieldIssued] = manifests.At(f.issued).String()
		v.stamp = sealed(a.t, stamp, k)
	}
}

// premise is what holds of a handset that nobody attacks yet. One that it does
// not hold of is as good as reached.
func (a *attempt) premise(holds bool) { a.broken = a.broken || !holds }

func (a *attempt) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

func (v *victim) vouch(snap *metadata.Metadata[metadata.SnapshotType], role string, version int64, data []byte) {
	v.files[layout.MetadataFile(role, version)] = data
	snap.Signed.Meta[role+".json"] = metaOf(version, data)
}

func (a *attempt) key(role string, p power, own bool) (tufKey, bool) {
	switch {
	case a.has(p):
		return tufKeys()[role][0], true
	case own:
		return tufKeys()["thief"][0], true
	default:
		return tufKey{}, false
	}
}

// forgeRollouts signs the role of rollouts, with another document if there is
// one. The thief is careful: his document follows the newest in the chain.
func (a *attempt) forgeRollouts(v *victim, f forgery, snap *metadata.Metadata[metadata.SnapshotType], version int64) {
	a.t.Helper()
	k, ok := a.key(layout.RolloutsRole, stolenRollouts, f.own)
	if !ok {
		return
	}
	role, err := metadata.Targets().FromBytes(a.files[layout.MetadataFile(layout.RolloutsRole, snap.Signed.Meta["rollouts.json"].Version)])
	a.must(err)
	if f.rollouts != nil {
		d := &rollout.Document{Spec: rollout.Spec, Product: product, Counter: a.counter + uint64(a.forged), Prev: a.prev, Rollouts: f.rollouts(append([]rollout.Rollout(nil), a.rows...))}
		doc, err := d.Canonical()
		a.must(err)
		ref := target(role, layout.RolloutsPath(product), doc)
		v.files[layout.TargetFile(ref.Path, ref.SHA256)] = doc
	}
	if f.smuggle != nil {
		f.smuggle(role)
	}
	role.Signed.Version, role.Signed.Expires = version, f.expires
	v.vouch(snap, layout.RolloutsRole, version, sealed(a.t, role, k))
}

// String names what was stolen.
func (p power) String() string {
	var out []string
	for _, s := range powers {
		if p&s.power != 0 {
			out = append(out, s.name)
		}
	}
	if out == nil {
		return "nothing"
	}
	return strings.Join(out, "+")
}
