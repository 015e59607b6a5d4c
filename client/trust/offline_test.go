package trust_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/client/fetch"
	"github.com/candor-ota/candor/client/trust"
	"github.com/candor-ota/candor/manifests/layout"
)

// stick is a bundle: files by their names in the tree.
type stick map[string][]byte

func (s stick) Get(_ context.Context, path string, most int64, _ string) (fetch.Response, error) {
	data, ok := s[path]
	switch {
	case !ok:
		return fetch.Response{}, fmt.Errorf("%s: %w", path, fetch.ErrNotFound)
	case int64(len(data)) > most:
		return fetch.Response{}, fetch.ErrTooLarge
	}
	return fetch.Response{Body: data}, nil
}

// stick copies the tree as it is.
func (r *repo) stick() stick {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.files)
}

func (h *handset) plug(s stick) (*trust.View, error) { return h.Offline(context.Background(), s, 42) }

func mustPlug(t *testing.T, h *handset, s stick) *trust.View {
	t.Helper()
	v, err := h.plug(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func refusedStick(t *testing.T, h *handset, s stick, kind error, words ...string) {
	t.Helper()
	_, err := h.plug(s)
	if !errors.Is(err, kind) {
		t.Fatalf("got %v, want %v", err, kind)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}

// withRelease is a tree that offers build 42.
func withRelease(t *testing.T) *repo {
	r := newRepo(t)
	r.open(42)
	r.publish()
	return r
}

func TestBundleOutlivesTheOnlineKeysWord(t *testing.T) {
	r := withRelease(t)
	h := r.handset()
	s := r.stick()
	h.now = r.now.AddDate(0, 1, 0) // timestamp, snapshot and rollouts have expired
	if _, err := h.poll(); !errors.Is(err, trust.ErrExpired) {
		t.Fatalf("the tree should have expired: %v", err)
	}
	v := mustPlug(t, h, s)
	if v.Releases[42].Release == nil || v.Document == nil || len(v.SignedBy) != 2 || !v.Expiry.Equal(h.now) {
		t.Fatalf("view: %+v", v)
	}
	if len(r.asked()) > 2 { // root and timestamp of the poll
		t.Error("the bundle was not enough")
	}
}

func TestBundleIsNoGoodOnceAnOfflineKeysWordHasExpired(t *testing.T) {
	for role, expires := range map[string]func(*repo) *time.Time{
		"root":                       func(r *repo) *time.Time { return &r.root.Signed.Expires },
		"targets":                    func(r *repo) *time.Time { return &r.top.Signed.Expires },
		layout.ReleasesRole(product): func(r *repo) *time.Time { return &r.rels.Signed.Expires },
	} {
		t.Run(role, func(t *testing.T) {
			r := withRelease(t)
			*expires(r) = r.now.Add(24 * time.Hour)
			r.signRoot()
			r.publish()
			h := r.handset()
			s := r.stick()
			mustPlug(t, h, s)
			h.now = r.now.Add(24 * time.Hour)
			refusedStick(t, h, s, trust.ErrExpired, role, "too old")
		})
	}
}

// Setting the clock back revives nothing: what the timestamp stated in an
// earlier poll counts too.
func TestSettingTheClockBackRevivesNoBundle(t *testing.T) {
	r := withRelease(t)
	h := r.handset()
	r.now = r.now.AddDate(0, 3, 0)
	h.now = r.now
	r.rolls.Signed.Expires, r.snap.Signed.Expires, r.stamp.Signed.Expires = r.now.AddDate(0, 0, 7), r.now.AddDate(0, 0, 7), r.now.AddDate(0, 0, 2)
	r.publish()
	mustPoll(t, h)
	r.rels.Signed.Expires = epoch.AddDate(0, 2, 0)
	r.publish()
	h.now = epoch
	refusedStick(t, h, r.stick(), trust.ErrExpired, layout.ReleasesRole(product))
	h.set = false
	refusedStick(t, h, r.stick(), trust.ErrExpired, layout.ReleasesRole(product))
}

func TestBundleBelowAnyFloorIsRefused(t *testing.T) {
	t.Run("timestamp", func(t *testing.T) {
		r := withRelease(t)
		h, old := r.handset(), r.stick()
		r.timestamp()
		mustPoll(t, h)
		refusedStick(t, h, old, trust.ErrRollback, "timestamp")
		h.now = h.now.Add(25 * time.Hour)
		refusedStick(t, h, old, trust.ErrRollback, "timestamp") // a late mirror is another matter
	})
	t.Run("by what an earlier bundle proved", func(t *testing.T) {
		r := withRelease(t)
		h, old := r.handset(), r.stick()
		r.publish()
		mustPlug(t, h, r.stick())
		refusedStick(t, h, old, trust.ErrRollback, "targets")
	})
	t.Run("releases, by what an earlier bundle proved", func(t *testing.T) {
		r := withRelease(t)
		h, old := r.handset(), r.stick()
		role := layout.ReleasesRole(product)
		r.vouch(role, r.rels.Signed.Version, sign(r, r.rels, r.keys[role]))
		r.head()
		mustPlug(t, h, r.stick())
		refusedStick(t, h, old, trust.ErrRollback, role)
	})
	t.Run("snapshot names older releases", func(t *testing.T) {
		r := withRelease(t)
		h := r.handset()
		role := layout.ReleasesRole(product)
		before := r.snap.Signed.Meta[role+".json"]
		r.publish()
		mustPoll(t, h)
		r.snap.Signed.Meta[role+".json"] = before
		r.head() // by a thief of the online keys
		refusedStick(t, h, r.stick(), trust.ErrRollback, "snapshot")
	})
}

// A thief of every online key makes a bundle with the highest versions and a
// time far away. It may install nothing that is not signed; and the handset
// goes on with the honest tree as if nothing had been.
func TestForgedBundleShutsNobodyOut(t *testing.T) {
	for name, forge := range map[string]func(*repo){
		"versions": func(r *repo) {
			r.stamp.Signed.Version, r.snap.Signed.Version, r.rolls.Signed.Version = 1<<31-1, 1<<31-1, 1<<31-1
		},
		"time": func(r *repo) {
			r.stamp.Signed.Expires = epoch.AddDate(90, 0, 0)
			r.now = epoch.AddDate(80, 0, 0)
		},
		"chain of rollouts": func(r *repo) { r.doc.Counter = 1 << 40 },
	} {
		t.Run(name, func(t *testing.T) {
			r := withRelease(t)
			h := r.handset()
			mustPoll(t, h)
			honest := r.stick()
			forge(r)
			r.online()
			mustPlug(t, h, r.stick())
			r.mu.Lock()
			r.files = honest
			r.mu.Unlock()
			h.restart(r)
			if v := mustPoll(t, h); !v.Expiry.Equal(h.now) {
				t.Errorf("its time is %s", v.Expiry)
			}
		})
	}
}

// online signs what the online keys sign, and nothing else.
func (r *repo) online() {
	r.t.Helper()
	doc, err := r.doc.Canonical()
	if err != nil {
		r.t.Fatal(err)
	}
	r.target(r.rolls, layout.RolloutsPath(product), doc)
	r.vouch(layout.RolloutsRole, r.rolls.Signed.Version, sign(r, r.rolls, r.keys[layout.RolloutsRole]))
	r.head()
}

func TestBundleOfStrangersIsRefused(t *testing.T) {
	r, stranger := withRelease(t), withRelease(t)
	h := r.handset()
	refusedStick(t, h, stranger.stick(), trust.ErrSignature, "timestamp")
	for _, role := range []string{"timestamp", "snapshot", "targets", layout.RolloutsRole, layout.ReleasesRole(product)} {
		good := r.keys[role]
		r.keys[role] = []key{newKey(t), newKey(t)}
		r.publish()
		refusedStick(t, h, r.stick(), trust.ErrSignature, role)
		r.keys[role] = good
	}
	r.publish()
	mustPlug(t, h, r.stick())
}

func TestMixedBundleIsRefused(t *testing.T) {
	r := withRelease(t)
	h, old := r.handset(), r.stick()
	r.publish()
	for _, role := range []string{"snapshot", "targets", layout.RolloutsRole, layout.ReleasesRole(product)} {
		s := r.stick()
		s[fmt.Sprintf("metadata/3.%s.json", role)] = old[fmt.Sprintf("metadata/2.%s.json", role)]
		refusedStick(t, h, s, trust.ErrMismatch, role)
		delete(s, fmt.Sprintf("metadata/3.%s.json", role))
		refusedStick(t, h, s, trust.ErrUnreachable, role)
	}
	s := r.stick()
	for name := range s {
		if strings.HasPrefix(name, "targets/releases/") {
			s[name] = []byte(strings.Replace(string(s[name]), `"build":42`, `"build":43`, 1))
		}
	}
	refusedStick(t, h, s, trust.ErrMismatch, "other bytes")
}

func TestBundleFollowsNewRoots(t *testing.T) {
	r := withRelease(t)
	h, old := r.handset(), r.stick()
	r.keys["timestamp"] = []key{newKey(t)}
	r.list("timestamp")
	r.root.Signed.Version++
	r.signRoot()
	r.publish()
	mustPlug(t, h, r.stick())
	refusedStick(t, h, old, trust.ErrSignature, "timestamp") // the root is kept, and its old key is worth nothing
}

func TestBundleHoldsOneReleaseAndNoOther(t *testing.T) {
	r := withRelease(t)
	h := r.handset()
	delete(r.rels.Signed.Targets, layout.ReleasePath(product, 42))
	r.publish()
	if v := mustPlug(t, h, r.stick()); len(v.Releases) != 0 {
		t.Fatal("a withdrawn release is in the view")
	}
	h.Product = "tablet"
	refusedStick(t, h, r.stick(), trust.ErrMismatch, "releases-tablet")
}
