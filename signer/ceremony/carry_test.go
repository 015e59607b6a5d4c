package ceremony

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/signer/keyring"
)

// bundled is a published system whose build 41 is for bundles.
func (w *world) bundled() keyring.Anchor {
	w.t.Helper()
	first := w.sign(w.initProposal(), ImageNone, "alice", "bob")
	anchor, err := first.Anchor()
	w.must(err)
	w.publish(first)
	product := w.product(w.state(first))
	w.publish(product)
	doc := w.release(41, func(r *manifests.Release) {
		r.Offline, r.OfferUntil = true, manifests.At(w.now.Add(24*time.Hour))
	})
	w.publish(w.sign(w.sign(w.propose(w.state(product), doc), ImageBuilder, "dora"), ImageRecomputed, "emil"))
	return anchor
}

func (w *world) carry(anchor keyring.Anchor, from ...manifests.Build) (*Carried, error) {
	w.t.Helper()
	src, err := Dir(w.tree())
	w.must(err)
	return Carry(context.Background(), src, anchor, vote.Ref{Product: phone, Build: 41}, from, w.now)
}

func TestBundleCarriesAllThatProvesARelease(t *testing.T) {
	w := newWorld(t)
	anchor := w.bundled()
	w.offer(func(*rollout.Rollout) {})
	c, err := w.carry(anchor)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range c.Files {
		if !bytes.Equal(f.Body, w.files[f.Path]) {
			t.Errorf("%s has other bytes than the tree", f.Path)
		}
	}
	if c.Release.Build != 41 || len(c.Files) != 8 || !strings.HasPrefix(c.Files[0].Path, layout.MetadataDir) || !strings.HasPrefix(c.Files[7].Path, layout.TargetsDir) {
		t.Errorf("%+v", c.Files)
	}
}

func TestBundleThatNoHandsetTakesIsNotMade(t *testing.T) {
	for want, spoil := range map[string]func(*world){
		"r1 is halted":            func(w *world) { w.offer(func(r *rollout.Rollout) { r.State, r.Reason = rollout.Halted, "bricks" }) },
		"was to be offered until": func(w *world) { w.now = w.now.Add(25 * time.Hour) },
		"no list of rollouts yet": func(w *world) {
			delete(w.meta, "rollouts.json")
			w.files[layout.MetadataFile("rollouts", 1)] = nil
			w.restamp()
		},
		"expired": func(w *world) { w.now = w.now.Add(49 * time.Hour) },
	} {
		w := newWorld(t)
		anchor := w.bundled()
		spoil(w)
		if _, err := w.carry(anchor); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	w := newWorld(t)
	if _, err := w.carry(w.published()); !errors.Is(err, ErrNotOffline) {
		t.Errorf("a release that is not for bundles: %v", err)
	}
}
