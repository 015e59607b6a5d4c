package install

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/candor-ota/candor/client/fetch"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/image"
	"github.com/candor-ota/candor/manifests/patch"
)

// Kind is how an image is made.
type Kind string

// The kinds of plans.
const (
	ByPatch  Kind = "patch"  // segments against the very image that runs
	ByChunks Kind = "chunks" // missing chunks, beside what the slots have
	ByPack   Kind = "full"   // all of it
)

// Quote is what a plan costs.
type Quote struct {
	Kind     Kind
	Bytes    int64            // still to be downloaded
	Full     int64            // what the full image costs from its beginning, index included
	Requests int              // for Bytes, if the server serves parts
	Patch    manifests.SHA256 // of the patch's table
	Why      string           // why it is no cheaper any more, for people; empty for a first plan
}

// Plan is a way to make one image from what is there.
type Plan struct {
	Quote

	recipe   recipe
	first    int      // the piece with which it begins
	progress Progress // from which it was made
	whole    bool     // the server sends only whole blobs
	damages  int
}

// Progress is what is known to be done, with the bytes that planning took.
func (p *Plan) Progress() Progress { return p.progress }

// Prepare makes the cheapest plan for what is missing. It fetches the table of a
// patch, or the index, unless they are kept here already; nothing of either is
// parsed before the hash that was signed holds. A patch that cannot be used is
// noted in the progress, and the plan goes by chunks.
func Prepare(ctx context.Context, o Options) (*Plan, error) {
	if err := o.sane(); err != nil {
		return nil, err
	}
	at := o.From
	if at.At < 0 || at.At > o.Image.Size {
		at.At = 0 // a progress of another image
	}
	a := newAttempt(&o, &at)
	plan, err := a.prepare(ctx)
	if at.Downloaded = a.downloaded(); at != o.From {
		err = errors.Join(err, o.Save(at))
	}
	if err != nil {
		return nil, err
	}
	plan.progress = at
	return plan, nil
}

func (a *attempt) prepare(ctx context.Context) (*Plan, error) {
	why := ""
	if p := a.patchOf(); p != nil {
		plan, err := a.byPatch(ctx, p)
		if err == nil || !hopeless(err) {
			return plan, err
		}
		a.at.NoPatch, why = true, err.Error()
	}
	return a.byChunks(ctx, why)
}

// patchOf gives the patch from the very image that runs, if it is worth it.
// The signer drops one that saves little over chunks, so those need no index to
// be compared with.
func (a *attempt) patchOf() *manifests.Patch {
	if a.Old == nil || a.at.NoPatch {
		return nil
	}
	for i := range a.Image.Patches {
		p := &a.Image.Patches[i]
		if p.FromSHA256 == a.Old.SHA256 && p.Table.Size+p.BodySize+2*requestBytes < a.full() {
			return p
		}
	}
	return nil
}

func (o *Options) full() int64 { return o.Image.Index.Size + o.Image.Pack.Size }

// Estimate is what an image will cost, as far as the signed document alone
// tells: exact says whether a plan can do no better.
func Estimate(m manifests.Image, old manifests.SHA256) (bytes int64, exact bool) {
	bytes = m.Index.Size + m.Pack.Size
	for _, p := range m.Patches {
		if p.FromSHA256 == old && p.Table.Size+p.BodySize < bytes {
			return p.Table.Size + p.BodySize, true
		}
	}
	return bytes, false
}

// hopeless tells of a patch's error that fetching it again would not help.
func hopeless(err error) bool {
	var field *patch.FieldError
	for _, is := range []error{ErrSource, patch.ErrFrame, fetch.ErrNotFound, fetch.ErrWrongLength, fetch.ErrTooLarge} {
		if errors.Is(err, is) {
			return true
		}
	}
	return errors.As(err, &field)
}

func (a *attempt) byPatch(ctx context.Context, p *manifests.Patch) (*Plan, error) {
	data := a.Shelf.table(a.Target, a.Image.Slot)
	if data == nil || sha256.Sum256(data) != p.Table.SHA256 {
		var err error
		if data, err = a.fetch(ctx, "patch table", p.Table, patch.MaxTableBytes); err != nil {
			return nil, err
		}
		if a.Shelf != nil {
			if err := a.Shelf.write(a.Shelf.tablePath(a.Target, a.Image.Slot), data); err != nil {
				return nil, err
			}
		}
	}
	table, err := patch.Parse(data)
	if err == nil {
		err = table.CheckSigned(a.Image, *p)
	}
	if err != nil {
		return nil, fmt.Errorf("patch of slot %s: %w", a.Image.Slot, err)
	}
	plan := a.planOf(&patched{a.Image, table})
	plan.Kind, plan.Patch = ByPatch, p.Table.SHA256
	return plan, nil
}

func (a *attempt) byChunks(ctx context.Context, why string) (*Plan, error) {
	x, err := a.index(ctx)
	if err != nil {
		return nil, err
	}
	c := newChunks(a.Image, x)
	plan := a.planOf(c)
	if a.Old != nil {
		if err := a.useOld(c, plan.first); err != nil {
			return nil, err
		}
	}
	for g := range generations {
		if left := a.left(g); left != nil {
			c.use(a.seeds(), ofTarget, left, plan.first)
		}
	}
	c.coalesce(plan.first)
	plan.price()
	plan.Kind, plan.Why = ByPack, why
	if c.seeded(plan.first) {
		plan.Kind = ByChunks
	}
	return plan, nil
}

// planOf begins where pieces are missing: behind what was saved, and behind what
// an attempt that was killed wrote.
func (a *attempt) planOf(r recipe) *Plan {
	p := &Plan{recipe: r, Quote: Quote{Full: a.full()}, progress: *a.at}
	most := a.segmentLength() + ringBytes
	p.first = found(r, a.Slot, pieceAt(r, a.at.At), most, make([]byte, min(patch.MaxRowBytes, a.Image.Size)))
	p.price()
	return p
}

// price counts what is still to be downloaded.
func (p *Plan) price() {
	spans := spansFrom(p.recipe, p.first)
	if p.whole && len(spans) > 0 {
		spans = []Span{{0, spans[len(spans)-1].To}}
	}
	p.Bytes, p.Requests = bytesOf(spans), len(spans)
}

// left is the index of what the target slot held at some time.
func (a *attempt) left(generation int) *image.Index {
	x, err := image.Parse(a.Shelf.indexAt(a.Target, a.Image.Slot, generation))
	if err != nil || x.ImageSHA256 == a.Image.SHA256 || x.Params() != image.ParamsFor(a.Image.Size) {
		return nil
	}
	return x
}

// useOld finds chunks in the image that runs, by the index that was kept when it
// was installed; if there is none, the image is cut once more.
func (a *attempt) useOld(c *chunks, first int) error {
	params := image.ParamsFor(a.Image.Size)
	if x, err := image.Parse(a.Shelf.index(a.Old.Slot, a.Image.Slot, a.Old.SHA256)); err == nil && x.Params() == params {
		c.use(a.seeds(), ofOld, x, first)
		return nil
	}
	x, whole := cut(a.Old.File, a.Old.Size, params)
	c.use(a.seeds(), ofOld, x, first)
	if !whole || len(x.Rows) == 0 || x.Params() != params {
		return nil // what could be read is a seed all the same; it is not kept
	}
	x.ImageSHA256 = a.Old.SHA256 // even if it has changed: so it is found again
	data, err := x.MarshalBinary()
	if err != nil {
		return fmt.Errorf("index of the image that runs: %w", err)
	}
	return a.Shelf.keepIndex(a.Old.Slot, a.Image.Slot, data)
}
