package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/archive"
	"github.com/candor-ota/candor/manifests/event"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/events"
	"github.com/candor-ota/candor/server/release"
	"github.com/candor-ota/candor/server/store"
)

// getRelease tells everything about one release: the document that its engineers
// signed, who they are, and what became of it.
func (a *API) getRelease(c *gin.Context) {
	r, err := ref(c)
	var out contract.ReleaseDetail
	if err == nil {
		out, err = a.releaseDetail(c.Request.Context(), r)
	}
	a.reply(c, out, err)
}

func (a *API) releaseDetail(ctx context.Context, r vote.Ref) (contract.ReleaseDetail, error) {
	out := contract.ReleaseDetail{Privacy: []string{}, Rollouts: []contract.RolloutBrief{}}
	have, err := a.Ledger.Release(ctx, r)
	if err == nil && have.State == store.ReleaseStaged {
		err = store.ErrNotFound // nobody has been shown it yet
	}
	if err != nil {
		return out, err
	}
	tree, err := a.proofOf(ctx, have)
	if err != nil {
		return out, err
	}
	doc, err := documentIn(tree, have)
	if err != nil {
		return out, err
	}
	out.Release, out.Published = releaseOf(have, doc), &have.Submitted
	if have.SubmittedBy != "" {
		out.PublishedBy = &have.SubmittedBy
	}
	if out.Document, err = exactly(tree[layout.TargetFile(have.Path, have.SHA256)]); err != nil {
		return out, err
	}
	out.Privacy = append(out.Privacy, doc.Privacy.Words("en")...)
	if err := a.compared(ctx, doc, &out); err != nil {
		return out, err
	}
	if err := a.signatures(ctx, r, tree, &out); err != nil {
		return out, err
	}
	out.Rollouts, err = a.briefsOf(ctx, r)
	return out, err
}

// releaseOf is a release as the contract has it. The document is nil where it is
// not on the list any more and nobody looked for it.
func releaseOf(have store.Release, doc *manifests.Release) contract.Release {
	out := contract.Release{
		Product: string(have.Product), Build: int64(have.Build), Version: have.Version, Sha256: have.SHA256.String(),
		Length: have.Length, Published: &have.Submitted, State: contract.Live,
	}
	switch have.State {
	case store.ReleaseWithdrawn:
		out.State = contract.Withdrawn
	case store.ReleaseRetired:
		out.State = contract.Retired
	}
	if doc != nil {
		out.Risk = string(doc.Risk)
	}
	return out
}

// proofOf gives the published files on the way from the first root to a release:
// those of now or, of one that has left its list, those that were kept of then.
func (a *API) proofOf(ctx context.Context, have store.Release) (map[string][]byte, error) {
	how := layout.Withdrawn
	switch have.State {
	case store.ReleasePublished:
		return a.Tree.Proof(ctx, have.Product, have.Build)
	case store.ReleaseRetired:
		how = layout.Retired
	}
	body, info, err := a.Blobs.Open(ctx, layout.ArchiveFile(have.Product, have.Build, how))
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(body, min(info.Size, archive.MaxBytes)))
	if err = errors.Join(err, body.Close()); err != nil {
		return nil, err
	}
	kept, err := archive.Parse(data)
	if err != nil {
		return nil, err
	}
	return kept.Live, nil
}

// documentIn reads a release among the files that prove it.
func documentIn(tree map[string][]byte, have store.Release) (*manifests.Release, error) {
	body := tree[layout.TargetFile(have.Path, have.SHA256)]
	if body == nil {
		return nil, store.ErrNotFound // withdrawn this moment
	}
	return manifests.ParseRelease(body)
}

// exactly decodes a document without rounding its numbers.
func exactly(body []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var out map[string]any
	if err := d.Decode(&out); err != nil {
		return nil, fmt.Errorf("release document: %w", err)
	}
	return out, nil
}

// compared says what a release widens against the one before, and whose images
// its patches start from.
func (a *API) compared(ctx context.Context, doc *manifests.Release, out *contract.ReleaseDetail) error {
	before, err := a.before(ctx, doc)
	if err != nil {
		return err
	}
	sources := []contract.ImageSource{}
	if before != nil {
		build, widens := int64(before.Build), append([]string{}, before.Privacy.Widening(doc.Privacy)...)
		out.Before, out.Widens = &build, &widens
		sources = append(sources, sourcesOf(doc, before)...) // also if it has left the list
	}
	listed, err := a.images.startOf(ctx, a.Tree, doc)
	if err != nil {
		return err
	}
	for _, s := range listed {
		if before == nil || s.Build != int64(before.Build) {
			sources = append(sources, s)
		}
	}
	if len(sources) > 0 {
		out.Sources = &sources
	}
	return nil
}

// before finds the release that stands next below: on its product's list, or
// kept since it left that.
func (a *API) before(ctx context.Context, doc *manifests.Release) (*manifests.Release, error) {
	have, err := a.Ledger.ReleaseBelow(ctx, vote.Ref{Product: doc.Product, Build: doc.Build})
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r, _, err := a.Intake.Live(ctx, have.Ref())
	if !errors.Is(err, store.ErrNotFound) {
		return r, err
	}
	tree, err := a.proofOf(ctx, have)
	if err == nil {
		r, err = documentIn(tree, have)
	}
	if errors.Is(err, store.ErrNotFound) { // it left before releases were kept
		return nil, nil
	}
	return r, err
}

// sourcesOf gives the images of another release from which patches of doc start.
func sourcesOf(doc, other *manifests.Release) []contract.ImageSource {
	var out []contract.ImageSource
	for _, m := range other.Images {
		from := func(p manifests.Patch) bool { return p.FromSHA256 == m.SHA256 }
		if slices.ContainsFunc(doc.Images, func(n manifests.Image) bool { return slices.ContainsFunc(n.Patches, from) }) {
			out = append(out, contract.ImageSource{Sha256: m.SHA256.String(), Slot: string(m.Slot), Build: int64(other.Build), Version: other.Version})
		}
	}
	return out
}

// signatures adds who signed: the version that first listed the release, as its
// signing event has it, and the roles as they are published.
func (a *API) signatures(ctx context.Context, r vote.Ref, tree map[string][]byte, out *contract.ReleaseDetail) error {
	roles, err := release.Signatures(r.Product, tree)
	if err != nil {
		return err
	}
	for _, role := range roles {
		out.Signatures = append(out.Signatures, signedBy(role))
	}
	list, err := a.Events.List(ctx, store.EventQuery{Release: r})
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(v events.Event) bool { return v.State == events.Published && v.Kind == string(event.Release) })
	if i < 0 {
		return nil
	}
	out.Event = &list[i].ID
	for _, p := range list[i].Tables.Progress(list[i].Said) {
		if p.Role != out.Signatures[0].Role || p.Version != out.Signatures[0].Version {
			out.Signatures = slices.Insert(out.Signatures, 0, firstBy(p))
		}
	}
	return spoke(out.Signatures[0].Keys, list[i].Said)
}

// firstBy is the version of a list that its signing event published, and that
// another has replaced since.
func firstBy(p release.Progress) contract.SignedBy {
	out := contract.SignedBy{Role: p.Role, Version: p.Version, Threshold: p.Threshold, Keys: []contract.KeyWord{}}
	for _, who := range p.People {
		out.Keys = append(out.Keys, contract.KeyWord{Key: signingKey(who, ""), Signed: slices.Contains(p.Signed, who)})
	}
	return out
}

// spoke adds what the signers said: when they signed, and having looked at what.
func spoke(keys []contract.KeyWord, said []event.Said) error {
	for i := range keys {
		for _, s := range said {
			if s.KeyID != keys[i].Key.Id || s.Statement == nil || !keys[i].Signed {
				continue
			}
			at, err := time.Parse(time.RFC3339, s.Statement.At)
			if err != nil {
				return fmt.Errorf("statement of key %.12s: %w", s.KeyID, err)
			}
			keys[i].At = &at
			if image := string(s.Statement.Image); image != "" {
				keys[i].Image = &image
			}
		}
	}
	return nil
}

// signedBy is a role as it is published.
func signedBy(r release.SignedRole) contract.SignedBy {
	out := contract.SignedBy{Role: r.Role, Version: r.Version, Threshold: r.Threshold, Expires: &r.Expires, Listing: true, Keys: []contract.KeyWord{}}
	for _, k := range r.Keys {
		out.Keys = append(out.Keys, contract.KeyWord{Key: signingKey(k.Person, k.Scheme), Signed: k.Signed})
	}
	return out
}

func signingKey(p release.Person, scheme string) contract.SigningKey {
	out := contract.SigningKey{Id: p.KeyID, Holder: cmp.Or(p.Holder, p.KeyID)}
	if name := algorithms[scheme]; name != "" {
		out.Algorithm = &name
	}
	return out
}
