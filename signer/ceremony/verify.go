package ceremony

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/patch"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/signer/keyring"
)

// Finding is one thing that was looked at: a role, a document, a blob.
type Finding struct {
	Subject string `json:"subject"`
	Holds   bool   `json:"holds"`
	Words   string `json:"words"`
}

// Report is what Verify found, in the order of the walk.
type Report struct {
	Holds    bool      `json:"holds"` // everything that was looked at
	Findings []Finding `json:"findings"`
	// Ended is why the walk did not come to its end; nil: it did. A network that
	// failed can be told by it from a tree that does not hold.
	Ended error `json:"-"`
}

// VerifyOptions says how far Verify goes.
type VerifyOptions struct {
	Now   time.Time
	Blobs bool // read and hash every blob; otherwise only documents
	// Read is told of bytes as they are read from blobs. It may be nil.
	Read func(n int)
}

// Verify walks a published tree from a trusted root and says what holds: each
// role's signatures, version and expiry, each release document, each rollout's
// agreement with the release that it offers, and each blob if asked to. The
// walk ends at the first role that does not hold, since nothing below it can
// be judged; expiries and rollouts that fail are reported and passed.
func Verify(ctx context.Context, src Source, anchor keyring.Anchor, o VerifyOptions) *Report {
	w := &walk{ctx: ctx, src: src, now: o.Now}
	if o.Blobs {
		w.afterRelease = func(_ manifests.Product, r *manifests.Release) error { return w.checkBlobs(r, o.Read) }
	}
	err := w.run(anchor)
	r := &Report{Findings: append(w.held, w.expired...), Ended: err}
	if err != nil {
		r.Findings = append(r.Findings, Finding{Subject: "walk", Words: err.Error()})
	} else {
		r.Findings = append(r.Findings, w.checkRollouts()...)
	}
	r.Holds = !slices.ContainsFunc(r.Findings, func(f Finding) bool { return !f.Holds })
	return r
}

// Blobs lists the blobs of a release, each once. The bodies of patches are named
// by their tables alone, which read gives; what it gives must be as signed.
func Blobs(r *manifests.Release, read func(table manifests.Blob) ([]byte, error)) ([]manifests.Blob, error) {
	all := r.Named()
	for _, m := range r.Images {
		for _, p := range m.Patches {
			file, err := read(p.Table)
			if err != nil {
				return nil, fmt.Errorf("patch table %s: %w", p.Table.SHA256.Short(), err)
			}
			body, err := bodyOf(m, p, file)
			if err != nil {
				return nil, fmt.Errorf("slot %s: patch table %s: %w", m.Slot, p.Table.SHA256.Short(), err)
			}
			all = append(all, p.Table, body)
		}
	}
	seen := map[manifests.SHA256]bool{}
	return slices.DeleteFunc(all, func(b manifests.Blob) bool {
		again := seen[b.SHA256]
		seen[b.SHA256] = true
		return again
	}), nil
}

// bodyOf reads a table and gives the body that goes with it.
func bodyOf(m manifests.Image, p manifests.Patch, file []byte) (manifests.Blob, error) {
	if int64(len(file)) != p.Table.Size || manifests.SumSHA256(file) != p.Table.SHA256 {
		return manifests.Blob{}, errors.New("its bytes are not those that were signed")
	}
	t, err := patch.Parse(file)
	if err != nil {
		return manifests.Blob{}, err
	}
	return manifests.Blob{SHA256: t.BodySHA256, Size: t.BodySize}, t.CheckSigned(m, p)
}

func (w *walk) checkBlobs(r *manifests.Release, read func(int)) error {
	blobs, err := Blobs(r, func(b manifests.Blob) ([]byte, error) {
		return fetch(w.ctx, w.src, layout.BlobFile(b.SHA256), b.Size)
	})
	if err != nil {
		return fmt.Errorf("%s build %d: %w", r.Product, r.Build, err)
	}
	for _, b := range blobs {
		if err := w.checkBlob(b, read); err != nil {
			return fmt.Errorf("%s build %d: blob %s: %w", r.Product, r.Build, b.SHA256.Short(), err)
		}
		w.held = append(w.held, Finding{Subject: "blob " + b.SHA256.Short(), Holds: true, Words: fmt.Sprintf("%d bytes of %s build %d, as signed", b.Size, r.Product, r.Build)})
	}
	return nil
}

func (w *walk) checkBlob(b manifests.Blob, read func(int)) error {
	body, err := w.src.Open(w.ctx, layout.BlobFile(b.SHA256))
	if err != nil {
		return err
	}
	hash := sha256.New()
	var to io.Writer = hash
	if read != nil {
		to = io.MultiWriter(hash, countWriter(read))
	}
	n, err := io.Copy(to, io.LimitReader(body, b.Size+1))
	if err = errors.Join(err, body.Close()); err != nil {
		return err
	}
	if n != b.Size || manifests.SHA256(hash.Sum(nil)) != b.SHA256 {
		return fmt.Errorf("its %d bytes are not the %d that were signed", n, b.Size)
	}
	return nil
}

type countWriter func(int)

func (c countWriter) Write(p []byte) (int, error) {
	c(len(p))
	return len(p), nil
}

// checkRollouts holds each rollout against the engineers' word: the online key
// may only name what they sign, with the same length and hash.
func (w *walk) checkRollouts() []Finding {
	out := []Finding{}
	role := w.roles[layout.RolloutsRole]
	if role == nil {
		return out
	}
	for _, path := range slices.Sorted(maps.Keys(role.Signed.Targets)) {
		target := role.Signed.Targets[path]
		doc, err := w.readRollouts(path, target.Length, target.Hashes["sha256"])
		if err != nil {
			out = append(out, Finding{Subject: path, Words: err.Error()})
			continue
		}
		for i := range doc.Rollouts {
			out = append(out, w.checkRollout(path, &doc.Rollouts[i], doc.Product))
		}
	}
	return out
}

func (w *walk) readRollouts(path string, length int64, hash []byte) (*rollout.Document, error) {
	if len(hash) != sha256.Size || length > rollout.MaxBytes {
		return nil, errors.New("must have one sha256 and a length within bounds")
	}
	data, err := fetch(w.ctx, w.src, layout.TargetFile(path, manifests.SHA256(hash)), length)
	if err != nil {
		return nil, err
	}
	if int64(len(data)) != length || manifests.SumSHA256(data) != manifests.SHA256(hash) {
		return nil, errors.New("is not the file that the service signed")
	}
	doc, err := rollout.Parse(data)
	if err != nil {
		return nil, err
	}
	if layout.RolloutsPath(doc.Product) != path {
		return nil, fmt.Errorf("says that it is about %s", doc.Product)
	}
	return doc, nil
}

func (w *walk) checkRollout(path string, r *rollout.Rollout, product manifests.Product) Finding {
	f := Finding{Subject: path + " " + string(r.ID)}
	releases := w.roles[layout.ReleasesRole(product)]
	if releases == nil {
		f.Words = fmt.Sprintf("offers a release of %s, which has no engineers", product)
		return f
	}
	target, ok := releases.Signed.Targets[r.Release.Path]
	switch {
	case !ok && !r.State.Installable():
		f.Holds, f.Words = true, fmt.Sprintf("build %d, %s; the engineers have withdrawn it", r.Build, r.State)
	case !ok:
		f.Words = fmt.Sprintf("offers build %d, which the engineers do not sign; no handset takes it", r.Build)
	case target.Length != r.Release.Length || manifests.SHA256(target.Hashes["sha256"]) != r.Release.SHA256:
		f.Words = fmt.Sprintf("offers build %d with another length or hash than the engineers signed; no handset takes it", r.Build)
	default:
		f.Holds, f.Words = true, fmt.Sprintf("build %d, %s, %s of handsets; the engineers sign the same release", r.Build, r.State, r.Share)
	}
	return f
}
