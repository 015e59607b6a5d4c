package install

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/candor-ota/candor/client/fetch"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/image"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/patch"
)

// attempt is an installation between two starts of the agent.
type attempt struct {
	*Options
	plan    *Plan
	at      *Progress
	before  int64   // bytes that were downloaded before this attempt
	counted counter // bytes that this attempt downloaded
}

func newAttempt(o *Options, at *Progress) *attempt {
	return &attempt{Options: o, at: at, before: at.Downloaded}
}

func (a *attempt) downloaded() int64 { return a.before + a.counted.Load() }

func (a *attempt) seeds() (s seeds) {
	if a.Old != nil {
		s[ofOld] = a.Old.File
	}
	s[ofTarget] = a.Slot
	return s
}

func (a *attempt) segmentLength() int64 { return cmp.Or(a.Segment, segmentBytes) }

// maxDamages is how often seeds are looked through once more; then they are not
// used any longer.
const maxDamages = 3

// run makes the image, and changes the plan where that helps. Bad bytes are
// fetched again: a source with one origin has three chances, a Blamer says
// itself when nobody is left to ask.
func (a *attempt) run(ctx context.Context) error {
	first := a.plan.first
	var bad error
	for left := a.chances(); ; first = pieceAt(a.plan.recipe, a.at.At) {
		err := a.pass(ctx, first)
		var (
			broken *writeError
			seed   *seedError
		)
		switch {
		case err == nil:
			return nil
		case errors.As(err, &broken):
			return err
		case errors.Is(err, fetch.ErrNoMirror) && bad != nil:
			return a.spoilt(fmt.Errorf("%w; %w", err, bad))
		case errors.Is(err, image.ErrFrame): // so it was signed
			return a.spoilt(err)
		case mismatch(err):
			bad = err
			if left--; left > 0 {
				continue
			}
			if err = a.spoilt(bad); a.plan.Kind == ByPatch {
				err, left = a.withoutPatch(ctx, err), a.chances()
			}
		case errors.As(err, &seed) && a.plan.Kind != ByPatch:
			err = a.withoutSeed(seed)
		case a.plan.Kind == ByPatch && (seed != nil || hopeless(err)):
			err = a.withoutPatch(ctx, err)
		case errors.Is(err, fetch.ErrRangeIgnored) && !a.plan.whole:
			a.plan.whole = true
			err = a.dearer("the server sends whole files only", err)
		default:
			return err
		}
		if err != nil {
			return err
		}
	}
}

func (o *Options) chances() int {
	if _, ok := o.Source.(Blamer); ok {
		return maxBadOfMany
	}
	return maxBad
}

func mismatch(err error) bool {
	return errors.Is(err, image.ErrMismatch) || errors.Is(err, patch.ErrMismatch)
}

// spoilt is the end of an attempt whose source is at fault. A patch is not tried
// again: the next attempt goes by chunks.
func (a *attempt) spoilt(err error) error {
	err = fmt.Errorf("slot %s: %w: %w", a.Image.Slot, ErrSource, err)
	if a.plan != nil && a.plan.Kind == ByPatch && !a.at.NoPatch {
		a.at.NoPatch = true
		err = errors.Join(err, a.Save(*a.at))
	}
	return err
}

// withoutPatch goes on by chunks, if that is agreed to: first to what it may
// cost at most, then to what it does.
func (a *attempt) withoutPatch(ctx context.Context, cause error) error {
	a.at.NoPatch = true
	if err := a.Save(*a.at); err != nil {
		return err
	}
	why := "the patch cannot be used: " + cause.Error()
	if a.keptIndex() == nil {
		if err := a.agree(Quote{Kind: ByPack, Bytes: a.full(), Full: a.full(), Requests: 2, Why: why}, cause); err != nil {
			return err
		}
	}
	plan, err := a.byChunks(ctx, why)
	if err != nil {
		return err
	}
	a.plan = plan
	return a.agree(plan.Quote, cause)
}

// withoutSeed downloads what a seed does not have after all.
func (a *attempt) withoutSeed(seed *seedError) error {
	a.plan.damages++
	c, ok := a.plan.recipe.(*chunks)
	if !ok {
		return seed
	}
	look := a.seeds()
	if a.plan.damages >= maxDamages {
		look = seeds{}
	}
	c.distrust(look, seed.piece)
	c.coalesce(pieceAt(c, a.at.At))
	return a.dearer("what was here has changed", seed)
}

// dearer asks whether the plan may go on, although it costs more now.
func (a *attempt) dearer(why string, cause error) error {
	a.plan.first = pieceAt(a.plan.recipe, a.at.At)
	a.plan.price()
	a.plan.Why = why
	return a.agree(a.plan.Quote, cause)
}

func (a *attempt) agree(q Quote, cause error) error {
	if a.Agree == nil {
		return cause
	}
	return a.Agree(q)
}

// index gives the table of chunks: kept, or fetched. Nothing of it is parsed
// before the hash that was signed holds.
func (a *attempt) index(ctx context.Context) (*image.Index, error) {
	data := a.keptIndex()
	if data == nil {
		var err error
		if data, err = a.fetch(ctx, "index", a.Image.Index, image.MaxIndexBytes); err != nil {
			return nil, err
		}
	}
	x, err := image.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("index of slot %s: %w", a.Image.Slot, err)
	}
	if x.ImageSize != a.Image.Size || x.ImageSHA256 != a.Image.SHA256 || x.PackSize != a.Image.Pack.Size || x.PackSHA256 != a.Image.Pack.SHA256 {
		return nil, fmt.Errorf("index of slot %s: it describes another image or pack than the release", a.Image.Slot)
	}
	if a.keptIndex() != nil {
		return x, nil
	}
	return x, a.Shelf.keepIndex(a.Target, a.Image.Slot, data)
}

func (a *attempt) keptIndex() []byte {
	data := a.Shelf.index(a.Target, a.Image.Slot, a.Image.SHA256)
	if data == nil || sha256.Sum256(data) != a.Image.Index.SHA256 {
		return nil
	}
	return data
}

// fetch reads a small blob whole and proves it.
func (a *attempt) fetch(ctx context.Context, what string, b manifests.Blob, most int64) ([]byte, error) {
	if b.Size < 0 || b.Size > most {
		return nil, fmt.Errorf("%s of slot %s: %w: %d bytes; at most %d are read", what, a.Image.Slot, fetch.ErrTooLarge, b.Size, most)
	}
	var bad error
	for range a.chances() {
		data, sender, err := a.read(ctx, what, b)
		switch {
		case errors.Is(err, fetch.ErrNoMirror) && bad != nil:
			return nil, fmt.Errorf("%w: %w; %w", ErrSource, err, bad)
		case err != nil:
			return nil, fmt.Errorf("%s of slot %s: %w", what, a.Image.Slot, err)
		case sha256.Sum256(data) == b.SHA256:
			return data, nil
		}
		a.blame(sender)
		bad = fmt.Errorf("%s of slot %s: sha256 does not match", what, a.Image.Slot)
	}
	return nil, fmt.Errorf("%w: %w", ErrSource, bad)
}

func (a *attempt) read(ctx context.Context, what string, b manifests.Blob) (data []byte, sender string, err error) {
	p := newParts(ctx, a.Source, blob{what, layout.BlobFile(b.SHA256), b.Size}, []Span{{0, b.Size}}, &a.counted)
	data = make([]byte, b.Size)
	if b.Size > 0 {
		sender, err = p.fill(data, 0)
	}
	return data, sender, errors.Join(err, p.Close())
}
