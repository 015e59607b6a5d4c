package install

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/candor-ota/candor/manifests/image"
	"github.com/candor-ota/candor/manifests/patch"
)

// job is one piece on its way.
type job struct {
	number int
	piece  piece
	packed []byte
	plain  []byte
	sender string // where packed came from, as Blamer wants it
	err    error
	done   chan struct{} // closed when plain holds, or err is set
}

const makers = 2 // side by side

// pass makes and writes pieces from the first on to the last one: one stage
// downloads, some make pieces, one writes. What was made before a stage failed
// is still written and saved, unless it is writing that failed.
func (a *attempt) pass(ctx context.Context, first int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	f := &feeder{attempt: a, ring: newRing(a.Image.Size), work: make(chan *job, ringPieces), ordered: make(chan *job, ringPieces)}
	var (
		feeding error
		stages  sync.WaitGroup
	)
	for range makers {
		m, err := a.plan.recipe.maker(a.seeds())
		if err != nil {
			cancel(err)
			close(f.work)
			stages.Wait()
			return err
		}
		stages.Go(func() {
			defer m.Close()
			for j := range f.work {
				j.err = m.make(j.plain, j.number, j.packed)
				close(j.done)
			}
		})
	}
	stages.Go(func() { feeding = f.run(ctx, first) })
	w := newWriter(a, first)
	var failure error
	for j := range f.ordered {
		<-j.done
		if failure == nil {
			if failure = a.take(w, j); failure != nil {
				cancel(failure)
			}
		}
		f.ring.give()
	}
	stages.Wait()
	var broken *writeError
	switch {
	case errors.As(failure, &broken):
		return failure
	case failure == nil:
		failure = feeding
	}
	if err := w.finish(); err != nil {
		return &writeError{errors.Join(failure, err)}
	}
	return failure
}

// take judges a piece and hands it to the writer.
func (a *attempt) take(w *writer, j *job) error {
	if j.err != nil {
		if errors.Is(j.err, image.ErrMismatch) || errors.Is(j.err, patch.ErrMismatch) {
			a.blame(j.sender)
		}
		return fmt.Errorf("%s, piece %d: %w", a.plan.recipe.blob().name, j.number, j.err)
	}
	if err := w.add(j); err != nil {
		return &writeError{err}
	}
	return nil
}

// writeError is a failure on this side of the pipeline: no other plan helps.
type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }
func (e *writeError) Unwrap() error { return e.err }

// feeder is the first stage: it reads packed bytes and numbers the jobs.
type feeder struct {
	*attempt
	ring          *ring
	work, ordered chan *job
}

var ready = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

func (f *feeder) run(ctx context.Context, first int) (err error) {
	defer close(f.ordered)
	defer close(f.work)
	r := f.plan.recipe
	body := f.open(ctx, first)
	defer func() { err = errors.Join(err, body.Close()) }()
	for i := first; i < r.pieces(); i++ {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		j := &job{number: i, piece: r.piece(i), done: ready}
		if j.piece.origin != repeated {
			j.done = make(chan struct{})
		}
		plain := j.piece.length
		if j.piece.origin == repeated {
			plain = 0
		}
		if j.packed, j.plain, err = f.ring.take(ctx, j.piece.packed, plain); err != nil {
			return err
		}
		if len(j.packed) > 0 {
			if j.sender, err = body.fill(j.packed, j.piece.at); err != nil {
				return fmt.Errorf("%s, byte %d: %w", r.blob().name, j.piece.at, err)
			}
		}
		f.ordered <- j // as many fit as the ring gives out
		if j.piece.origin != repeated {
			f.work <- j
		}
	}
	return nil
}

// open asks for what is needed of the blob from a piece on.
func (f *feeder) open(ctx context.Context, first int) *parts {
	spans := spansFrom(f.plan.recipe, first)
	if f.plan.whole && len(spans) > 0 {
		spans = []Span{{0, spans[len(spans)-1].To}}
	}
	return newParts(ctx, f.Source, f.plan.recipe.blob(), spans, &f.counted)
}

// counter counts bytes that came in.
type counter = atomic.Int64
