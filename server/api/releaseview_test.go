package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/event"
	"github.com/candor-ota/candor/manifests/image/imagetest"
	"github.com/candor-ota/candor/server/api"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/release/releasetest"
)

func (w *world) release43(as auth.Role) contract.ReleaseDetail {
	w.t.Helper()
	return get[contract.ReleaseDetail](w, as, "GET", "/v1/products/phone/releases/43", nil)
}

// byEvent publishes a release through a signing event of both engineers.
func (w *world) byEvent(document []byte) contract.Event {
	w.t.Helper()
	state, err := w.api.Tree.State(ctx)
	w.must(err)
	p := w.Propose(state, document)
	data, err := p.Marshal()
	w.must(err)
	v := get[contract.Event](w, auth.Engineer, "POST", "/v1/events", data)
	said := []event.Said{w.Says(p, w.Engineers[0], event.ImageBuilder)}
	w.wait(time.Minute)
	said = append(said, w.Says(p, w.Engineers[1], event.ImageRecomputed))
	body, err := json.Marshal(map[string]any{"said": said})
	w.must(err)
	get[contract.Event](w, auth.Engineer, "POST", "/v1/events/"+v.Id+"/words", body)
	return get[contract.EventPublished](w, auth.Engineer, "POST", "/v1/events/"+v.Id+"/publish", nil).Event
}

// collecting has a release collect something, and its owner asked.
func collecting(r *manifests.Release) {
	r.Privacy = manifests.PrivacyLabel{
		Collects: []manifests.Collection{{
			Data: "crash-logs", Purpose: manifests.Text{"en": "finding faults", "de": "Fehlersuche"}, Default: manifests.Off, Stored: manifests.StoredRetained,
		}},
		Change: manifests.Text{"en": "It may keep crash logs."},
	}
	r.Consent = manifests.Consent{Required: true, Notice: manifests.Text{"en": "It may keep crash logs."}}
}

func TestReleaseTellsWhoSignedItWhenAndHavingSeenWhat(t *testing.T) {
	w := ready(t, 42)
	w.wait(time.Hour)
	v := w.byEvent(w.Release(43, collecting))
	d := w.release43(auth.Viewer)
	if *d.Event != v.Id || d.Release.State != contract.Live || d.Release.Risk != "fix" || !d.Published.Equal(w.now()) || *d.PublishedBy == "" {
		t.Errorf("%+v", d)
	}
	if d.Document["version"] != "6.43" || d.Document["build"] != 43.0 || len(d.Rollouts) != 0 {
		t.Errorf("%+v", d.Document)
	}
	if !slices.Equal(d.Privacy, []string{"crash-logs for finding faults: off by default, stored retained"}) ||
		*d.Before != 42 || len(*d.Widens) != 1 || (*d.Widens)[0] != "collects crash-logs, which was not collected before" {
		t.Errorf("%v, over %v: %v", d.Privacy, d.Before, d.Widens)
	}
	list := d.Signatures[0]
	if len(d.Signatures) != 3 || list.Role != "releases-phone" || list.Version != 3 || list.Threshold != 2 || !list.Listing || list.Expires == nil {
		t.Fatalf("%+v", d.Signatures)
	}
	for i, k := range list.Keys {
		image, at := []string{"builder", "recomputed"}[i], w.now().Add(time.Duration(i-1)*time.Minute)
		if !k.Signed || *k.Image != image || !k.At.Equal(at) || k.Key.Holder != "holder of "+w.Engineers[i].ID[:8] || *k.Key.Algorithm != "Ed25519" {
			t.Errorf("%+v", k)
		}
	}
	signed := 0
	for _, k := range d.Signatures[1].Keys {
		if k.At != nil || k.Image != nil {
			t.Errorf("%+v", k)
		}
		if k.Signed {
			signed++
		}
	}
	if root := d.Signatures[2]; signed != 2 || root.Role != "root" || root.Threshold != 2 || len(root.Keys) != 3 {
		t.Errorf("%d people signed targets; root: %+v", signed, root)
	}
}

// Another release has the list signed anew; what its signers saw is not what
// those of this one saw.
func TestWordsOnOneReleaseAreNotThoseOnTheNext(t *testing.T) {
	w := ready(t, 42)
	v := w.byEvent(w.Release(43))
	w.resume()
	w.submit(w.Add(w.Release(44)))
	d := w.release43(auth.Viewer)
	if len(d.Signatures) != 4 || *d.Event != v.Id || d.Signatures[0].Version != 3 || d.Signatures[0].Listing || d.Signatures[0].Expires != nil {
		t.Fatalf("%+v", d.Signatures)
	}
	if d.Signatures[0].Keys[0].Image == nil || d.Signatures[1].Version != 4 || d.Signatures[1].Keys[0].Image != nil || !d.Signatures[1].Keys[0].Signed {
		t.Errorf("%+v", d.Signatures)
	}
	if next := get[contract.ReleaseDetail](w, auth.Viewer, "GET", "/v1/products/phone/releases/44", nil); next.Event != nil || *next.Before != 43 {
		t.Errorf("%+v", next)
	}
}

// resume takes the list of releases as it is published, after an event.
func (w *world) resume() {
	w.t.Helper()
	state, err := w.api.Tree.State(ctx)
	w.must(err)
	_, err = w.Releases[phone].FromBytes(state.Releases[phone])
	w.must(err)
}

func TestReleaseNamesWhoseImagesItsPatchesStartFrom(t *testing.T) {
	now := releasetest.Start
	old, doc := imagetest.Release(phone, 42, now), imagetest.Release(phone, 43, now)
	for _, from := range []string{"42", "40"} {
		doc.Images[0].Patches = append(doc.Images[0].Patches, manifests.Patch{FromSHA256: manifests.SumSHA256([]byte(from))})
	}
	want := contract.ImageSource{Sha256: manifests.SumSHA256([]byte("42")).String(), Slot: "system", Build: 42, Version: "6.42"}
	if got := api.SourcesOf(doc, old); !slices.Equal(got, []contract.ImageSource{want}) {
		t.Errorf("%+v", got)
	}
	if got := api.SourcesOf(old, doc); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestReleaseThatWasWithdrawnIsStillTold(t *testing.T) {
	w := ready(t, 42, 43)
	id := w.rollout(43).Id
	w.submit(w.Withdraw(phone, 43))
	d := w.release43(auth.Viewer)
	if d.Release.State != contract.Withdrawn || d.Document["version"] != "6.43" || d.Signatures[0].Version != 3 || *d.Before != 42 {
		t.Errorf("%+v", d)
	}
	if len(d.Rollouts) != 1 || d.Rollouts[0].Id != id || d.Rollouts[0].Version != "6.43" || d.Rollouts[0].Sentence == "" {
		t.Errorf("%+v", d.Rollouts)
	}
	w.submit(w.Add(w.Release(44, collecting))) // compared with one that is not on the list any more
	if next := get[contract.ReleaseDetail](w, auth.Viewer, "GET", "/v1/products/phone/releases/44", nil); *next.Before != 43 || len(*next.Widens) != 1 {
		t.Errorf("%+v", next)
	}
}

func TestReleaseIsToldToThoseOfItsProduct(t *testing.T) {
	w := ready(t, 43)
	w.limitedTo(auth.Viewer, phone)
	w.release43(auth.Viewer)
	w.limitedTo(auth.Viewer, "tablet")
	w.refused(http.StatusForbidden, contract.CodeForbidden, auth.Viewer, "GET", "/v1/products/phone/releases/43", nil)
	for _, missing := range []string{"phone/releases/44", "tablet/releases/43"} {
		w.refused(http.StatusNotFound, contract.CodeNotFound, auth.Engineer, "GET", fmt.Sprintf("/v1/products/%s", missing), nil)
	}
}
