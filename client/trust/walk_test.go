package trust_test

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/trust"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
)

func mustPoll(t *testing.T, h *handset) *trust.View {
	t.Helper()
	v, err := h.poll()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// refused polls and wants a refusal of that kind that names the role; then the
// tree is mended and the next poll must recover.
func refused(t *testing.T, h *handset, kind error, words ...string) {
	t.Helper()
	_, err := h.poll()
	if !errors.Is(err, kind) {
		t.Fatalf("got %v, want %v", err, kind)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}

func TestColdRefreshTakesSixRequestsAndAnUnchangedPollOne(t *testing.T) {
	r := newRepo(t)
	h := r.handset()
	mustPoll(t, h)
	var meta int
	for _, p := range r.asked() {
		if strings.HasPrefix(p, layout.MetadataDir) {
			meta++
		}
	}
	if meta > 6 {
		t.Errorf("a cold refresh took %d requests for metadata", meta)
	}
	mustPoll(t, h)
	if got := r.asked(); len(got) != 1 {
		t.Errorf("an unchanged poll asked for %v", got)
	}
	r.now = r.now.Add(time.Hour)
	h.now = r.now
	r.timestamp()
	mustPoll(t, h)
	if got := r.asked(); len(got) != 2 {
		t.Errorf("a renewed timestamp cost %v", got)
	}
}

// P3: an ETag that the server chose is a cookie; it is not sent back.
func TestETagIsNoCookie(t *testing.T) {
	r := newRepo(t)
	h := r.handset()
	r.cookie = `"handset-4711"`
	sent := ""
	r.answer = func(_ http.ResponseWriter, req *http.Request) bool {
		sent += req.Header.Get("If-None-Match")
		return false
	}
	for range 3 {
		mustPoll(t, h)
	}
	if sent != "" {
		t.Fatalf("it sent %s back", sent)
	}
}

func TestFullWalkAtLeastDaily(t *testing.T) {
	r := newRepo(t)
	h := r.handset()
	mustPoll(t, h)
	r.asked()
	h.now = h.now.Add(25 * time.Hour)
	mustPoll(t, h)
	if got := r.asked(); len(got) < 2 {
		t.Errorf("after a day the poll asked only for %v", got)
	}
}

func TestViewHoldsWhatTheEngineersSign(t *testing.T) {
	r := newRepo(t)
	r.open(42)
	r.publish()
	v := mustPoll(t, r.handset())
	if v.Document == nil || len(v.Releases) != 1 || v.Releases[42].Release.Build != 42 {
		t.Fatalf("view: %+v", v)
	}
}

func TestUnsignedReleaseIsNotInTheView(t *testing.T) {
	r := newRepo(t)
	r.open(42)
	delete(r.rels.Signed.Targets, layout.ReleasePath(product, 42))
	r.publish()
	v := mustPoll(t, r.handset())
	if len(v.Releases) != 0 {
		t.Fatal("a release that the engineers' role does not list is in the view")
	}
}

// AMENDMENTS H11: the role that answers is the product's own. The online role
// listing a release makes none.
func TestOnlineRoleCannotAnswerForReleases(t *testing.T) {
	r := newRepo(t)
	ref := r.release(42)
	r.rolls.Signed.Targets[ref.Path] = r.rels.Signed.Targets[ref.Path]
	delete(r.rels.Signed.Targets, ref.Path)
	r.doc.Rollouts = []rollout.Rollout{{ID: "x", Release: ref, Build: 42, Channel: "stable", State: rollout.Active, Share: 1, Kind: manifests.KindNormal}}
	r.publish()
	if v := mustPoll(t, r.handset()); len(v.Releases) != 0 {
		t.Fatal("the online role made a release")
	}
}

func TestWrongKeyRefused(t *testing.T) {
	for _, role := range []string{"timestamp", "snapshot", "targets", layout.RolloutsRole, layout.ReleasesRole(product)} {
		t.Run(role, func(t *testing.T) {
			r := newRepo(t)
			h := r.handset()
			good := r.keys[role]
			r.keys[role] = []key{newKey(t), newKey(t)}
			r.publish()
			refused(t, h, trust.ErrSignature, role)
			r.keys[role] = good
			r.publish()
			mustPoll(t, h)
		})
	}
}

func TestTooFewSignaturesRefused(t *testing.T) {
	r := newRepo(t)
	h := r.handset()
	role := layout.ReleasesRole(product)
	both := r.keys[role]
	r.keys[role] = both[:1]
	r.publish()
	refused(t, h, trust.ErrSignature, role, "got 1, want 2")
	r.keys[role] = both
	r.publish()
	mustPoll(t, h)
}

func TestOneKeySigningTwiceRefused(t *testing.T) {
	r := newRepo(t)
	h := r.handset()
	role := layout.ReleasesRole(product)
	both := r.keys[role]
	r.keys[role] = []key{both[0], both[0]}
	r.publish()
	refused(t, h, trust.ErrSignature, role, "signs twice")
	r.keys[role] = both
	r.publish()
	mustPoll(t, h)
}

func TestReplayedOlderMetadataRefused(t *testing.T) {
	r := newRepo(t)
	h := r.handset()
	r.mu.Lock()
	old := bytes.Clone(r.files[layout.TimestampFile])
	r.mu.Unlock()
	r.publish()
	mustPoll(t, h)
	r.put(layout.TimestampFile, old)
	refused(t, h, trust.ErrStaleMirror, "timestamp") // within a day: a late mirror
	h.now = h.now.Add(25 * time.Hour)
	refused(t, h, trust.ErrRollback, "timestamp")
	h.restart(r)
	refused(t, h, trust.ErrRollback, "timestamp")
	r.now = h.now
	r.publish()
	mustPoll(t, h)
}

// A thief of timestamp and snapshot serves an older list of releases.
func TestOlderRoleInANewSnapshotRefused(t *testing.T) {
	r := newRepo(t)
	role := layout.ReleasesRole(product)
	first := *r.snap.Signed.Meta[role+".json"]
	r.publish()
	h := r.handset()
	mustPoll(t, h)
	r.snap.Signed.Meta[role+".json"] = &first
	r.head()
	refused(t, h, trust.ErrRollback)
	for _, f := range []string{"snapshot.json", role + ".json"} {
		if err := os.Remove(filepath.Join(h.dir, f)); err != nil {
			t.Fatal(err)
		}
	}
	h.restart(r)
	refused(t, h, trust.ErrRollback, role) // the floor remembers, without the file
}

func TestExpiredMetadataRefused(t *testing.T) {
	for role, after := range map[string]time.Duration{"timestamp": 49 * time.Hour, "snapshot": 8 * 24 * time.Hour, layout.ReleasesRole(product): 150 * 24 * time.Hour} {
		t.Run(role, func(t *testing.T) {
			r := newRepo(t)
			h := r.handset()
			h.now = epoch.Add(after)
			for _, expires := range []*time.Time{&r.stamp.Signed.Expires, &r.snap.Signed.Expires, &r.rolls.Signed.Expires, &r.rels.Signed.Expires} {
				*expires = h.now.Add(time.Hour)
			}
			switch role {
			case "timestamp":
				r.stamp.Signed.Expires = h.now.Add(-time.Hour)
			case "snapshot":
				r.snap.Signed.Expires = h.now.Add(-time.Hour)
			default:
				r.rels.Signed.Expires = h.now.Add(-time.Hour)
			}
			r.publish()
			refused(t, h, trust.ErrExpired, role, "clock")
			for _, expires := range []*time.Time{&r.stamp.Signed.Expires, &r.snap.Signed.Expires, &r.rels.Signed.Expires} {
				*expires = h.now.Add(time.Hour)
			}
			r.publish()
			mustPoll(t, h)
		})
	}
}

// A clock that is set back does not revive what the signed time has ended.
func TestClockSetBackRevivesNothing(t *testing.T) {
	r := newRepo(t)
	h := r.handset()
	r.mu.Lock()
	old := bytes.Clone(r.files[layout.TimestampFile])
	r.mu.Unlock()
	r.now = epoch.Add(72 * time.Hour)
	r.stamp.Signed.Expires = r.now.Add(48 * time.Hour)
	h.now = r.now
	r.publish()
	mustPoll(t, h)
	h.now = epoch
	r.put(layout.TimestampFile, old)
	refused(t, h, trust.ErrRollback)
}

func TestMixedSnapshotsRefused(t *testing.T) {
	r := newRepo(t)
	h := r.handset()
	mustPoll(t, h)
	role := layout.ReleasesRole(product)
	r.mu.Lock()
	old := r.files[layout.MetadataFile(role, 1)]
	r.mu.Unlock()
	r.open(43)
	r.publish()
	_, good := r.find(layout.MetadataFile(role, 2))
	r.put(layout.MetadataFile(role, 2), old)
	refused(t, h, trust.ErrMismatch, role)
	r.put(layout.MetadataFile(role, 2), good)
	mustPoll(t, h)
}

func TestFlippedAndTruncatedFilesRefused(t *testing.T) {
	for _, path := range []string{layout.TimestampFile, "metadata/2.snapshot.json", "metadata/2.targets.json", "metadata/2.rollouts.json", "metadata/2.releases-phone.json", "targets/releases/phone/"} {
		for name, spoil := range map[string]func([]byte) []byte{
			"flipped":   func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
			"truncated": func(b []byte) []byte { return b[:len(b)/2] },
			"empty":     func([]byte) []byte { return nil },
			"html":      func([]byte) []byte { return []byte("<!doctype html><title>Sign in to the hotel</title>") },
		} {
			t.Run(path+" "+name, func(t *testing.T) {
				r := newRepo(t)
				h := r.handset()
				mustPoll(t, h)
				r.open(42)
				r.publish()
				full, good := r.find(path)
				r.put(full, spoil(bytes.Clone(good)))
				if _, err := h.poll(); err == nil {
					t.Fatal("it was taken")
				}
				r.put(full, good)
				if v := mustPoll(t, h); len(v.Releases) != 1 {
					t.Fatal("the next poll did not recover")
				}
			})
		}
	}
}

func (r *repo) find(prefix string) (string, []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for path, data := range r.files {
		if strings.HasPrefix(path, prefix) {
			return path, data
		}
	}
	r.t.Fatalf("no file %s", prefix)
	return "", nil
}

// go-tuf panics on these, though validly signed.
func TestSignedNonsenseNeitherPanicsNorSticks(t *testing.T) {
	r := newRepo(t)
	h := r.handset()
	good := r.stamp.Signed.Meta["snapshot.json"]
	delete(r.stamp.Signed.Meta, "snapshot.json")
	r.timestamp()
	refused(t, h, trust.ErrMalformed, "timestamp", "snapshot.json")
	r.stamp.Signed.Meta["snapshot.json"] = good
	r.timestamp()
	mustPoll(t, h)
}

func TestDamagedStoreRecovers(t *testing.T) {
	for _, name := range []string{"timestamp.json", "snapshot.json", "targets.json", "rollouts.json", "releases-phone.json", ".state.json"} {
		for _, damage := range []string{"", "{", "\x00\x00\x00"} {
			r := newRepo(t)
			h := r.handset()
			mustPoll(t, h)
			if err := os.WriteFile(filepath.Join(h.dir, name), []byte(damage), 0o600); err != nil {
				t.Fatal(err)
			}
			h.restart(r)
			if _, err := h.poll(); err != nil {
				t.Errorf("%s holding %q: %v", name, damage, err)
			}
		}
	}
}

func TestForbiddenForTheNextRootIsNotFound(t *testing.T) {
	r := newRepo(t)
	r.answer = func(w http.ResponseWriter, req *http.Request) bool {
		if strings.HasSuffix(req.URL.Path, "2.root.json") {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	}
	mustPoll(t, r.handset())
}

func TestSecondProcessOnTheSameStoreRefused(t *testing.T) {
	r := newRepo(t)
	h := r.handset()
	if _, err := trust.OpenStore(h.dir); !errors.Is(err, disk.ErrLocked) {
		t.Fatalf("got %v", err)
	}
}

func TestRootsRotateOneByOne(t *testing.T) {
	r := newRepo(t)
	h := r.handset()
	mustPoll(t, h)
	for range 5 {
		old := r.keys["root"]
		r.keys["root"] = []key{newKey(t), newKey(t)}
		r.root.Signed.Version++
		r.list("root")
		r.signRoot(old...)
	}
	h.now = h.now.Add(25 * time.Hour)
	if v := mustPoll(t, h); v.Versions["root"] != 6 {
		t.Fatalf("root is %d", v.Versions["root"])
	}
	r.root.Signed.Version++
	r.keys["root"] = []key{newKey(t), newKey(t)}
	r.list("root")
	r.signRoot() // not signed by the old ones
	h.now = h.now.Add(25 * time.Hour)
	r.now = h.now
	r.stamp.Signed.Expires = h.now.Add(time.Hour)
	r.timestamp()
	refused(t, h, trust.ErrSignature, "root")
}

// P1 and AMENDMENTS H3: the thief of all three online keys signs the highest
// version there is in every role, and the far future as its time. Once the
// maker replaces the keys, the handset comes back.
func TestFastForwardWithAllOnlineKeysIsRecovered(t *testing.T) {
	r := newRepo(t)
	h := r.handset()
	mustPoll(t, h)
	const far = int64(1)<<31 - 1
	before := []int64{r.snap.Signed.Version, r.stamp.Signed.Version, r.rolls.Signed.Version}
	r.snap.Signed.Version, r.stamp.Signed.Version, r.rolls.Signed.Version = far, far, far
	r.doc.Counter = 1 << 50
	r.publish()
	mustPoll(t, h) // validly signed: nothing tells it from the maker
	r.snap.Signed.Version, r.stamp.Signed.Version, r.rolls.Signed.Version = before[0], before[1], before[2]
	r.doc.Counter = 3
	for _, role := range []string{"snapshot", "timestamp", layout.RolloutsRole} {
		r.keys[role] = []key{newKey(t)}
	}
	r.root.Signed.Version++
	r.list("snapshot")
	r.list("timestamp")
	r.signRoot()
	r.delegate()
	r.open(44)
	r.publish()
	if v := mustPoll(t, h); v.Releases[44].Release == nil {
		t.Fatal("the handset is shut out")
	}
}

func TestFarFutureIssuedTimeIsRefusedOrRecovered(t *testing.T) {
	r := newRepo(t)
	h := r.handset()
	mustPoll(t, h)
	r.stamp.Signed.UnrecognizedFields[layout.FieldIssued] = "9000-01-01T00:00:00Z"
	r.timestamp()
	refused(t, h, trust.ErrMalformed, "timestamp", "after its own expiry")
	r.stamp.Signed.Expires = time.Date(9001, 1, 1, 0, 0, 0, 0, time.UTC)
	r.timestamp()
	refused(t, h, trust.ErrExpired)
	r.keys["timestamp"] = []key{newKey(t)}
	r.root.Signed.Version++
	r.list("timestamp")
	r.signRoot()
	r.stamp.Signed.UnrecognizedFields[layout.FieldIssued] = manifests.At(r.now).String()
	r.stamp.Signed.Expires = epoch.Add(48 * time.Hour)
	r.publish()
	mustPoll(t, h)
}

// A floor raised by a stolen timestamp key falls with the key.
func TestTimeFloorFallsWithItsKey(t *testing.T) {
	r := newRepo(t)
	h := r.handset()
	far := epoch.AddDate(0, 3, 0)
	r.rels.Signed.Expires, r.rolls.Signed.Expires, r.snap.Signed.Expires = far.AddDate(0, 1, 0), far.AddDate(0, 1, 0), far.AddDate(0, 1, 0)
	r.stamp.Signed.Expires = far.AddDate(0, 1, 0)
	r.now = far
	r.publish()
	if v := mustPoll(t, h); !v.Expiry.Equal(far) || !v.Pace.Equal(h.now) {
		t.Fatalf("expiry is judged by %s, pace by %s", v.Expiry, v.Pace)
	}
	r.keys["timestamp"] = []key{newKey(t)}
	r.root.Signed.Version++
	r.list("timestamp")
	r.signRoot()
	r.now = epoch
	r.stamp.Signed.Expires = epoch.Add(48 * time.Hour)
	r.publish()
	if v := mustPoll(t, h); !v.Expiry.Equal(epoch) {
		t.Fatalf("the stolen time still counts: %s", v.Expiry)
	}
}

func TestDeadClockJudgesByTheSignedTimeAndHasNoPace(t *testing.T) {
	r := newRepo(t)
	h := r.handset()
	h.set = false
	if v := mustPoll(t, h); !v.Expiry.Equal(epoch) || !v.Pace.IsZero() {
		t.Fatalf("expiry is judged by %s, pace by %s", v.Expiry, v.Pace)
	}
}

func TestForkedRolloutsAreSeen(t *testing.T) {
	r := newRepo(t)
	h := r.handset()
	if v := mustPoll(t, h); v.Forked {
		t.Fatal("the first view is a fork")
	}
	other := manifests.SumSHA256([]byte("shown to somebody else"))
	r.doc.Prev = &other
	r.publish()
	if v := mustPoll(t, h); !v.Forked {
		t.Fatal("a document that does not follow the one seen before is no fork")
	}
}

func TestAPathWithDotsIsNoReference(t *testing.T) {
	r := newRepo(t)
	ref := r.release(42)
	ref.Path = "releases/phone/../../../etc/passwd"
	doc := r.doc
	doc.Rollouts = []rollout.Rollout{{ID: "x", Release: ref, Build: 42, Channel: "stable", State: rollout.Active, Share: 1, Kind: manifests.KindNormal}}
	r.publish()
	refused(t, r.handset(), trust.ErrMalformed, "rollouts", "not the path of a release")
}

func TestInitRefusesARootThatDoesNotSignItself(t *testing.T) {
	r := newRepo(t)
	root := *r.root
	raw := sign(r, &root, []key{newKey(t)})
	if err := trust.Init(t.TempDir(), raw); !errors.Is(err, trust.ErrSignature) && !errors.Is(err, trust.ErrMalformed) {
		t.Fatalf("got %v", err)
	}
}

// What a newer version of the handset's program remembered is no damage, and
// its floors hold.
func TestFloorsOfANewerVersionHold(t *testing.T) {
	r := newRepo(t)
	h := r.handset()
	mustPoll(t, h)
	path := filepath.Join(h.dir, ".state.json")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Replace(before, []byte("{"), []byte(`{"aNewerOne":1,`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	h.restart(r)
	r.timestamp()
	mustPoll(t, h)
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(after, []byte(`"aNewerOne":1`)) || !bytes.Contains(after, []byte(`"role":"timestamp"`)) {
		t.Errorf("%s, %v", after, err)
	}
	if found, err := filepath.Glob(filepath.Join(h.dir, "*.damaged")); err != nil || found != nil {
		t.Errorf("set aside: %v, %v", found, err)
	}
}
