package install

import "context"

// ring is the memory between the stages. Pieces take a stretch of it each and
// give it back in the same order. It also bounds how many packed bytes are
// under way: those are lost when the process dies.
//
// One goroutine takes, another one gives back.
type ring struct {
	buffer     []byte
	head, tail int // the next stretch begins at head; tail is where the oldest begins
	taken      []stretch
	packed     int
	given      chan struct{} // one for each stretch that was given back
}

type stretch struct{ begin, end, packed int }

const (
	ringBytes  = 3 << 20   // one of the largest pieces of a patch, at least
	ringPieces = 32        // under way
	ringPacked = 384 << 10 // bytes under way; a piece that takes more goes alone
)

// newRing makes one for an image of so many bytes; small ones need less.
func newRing(image int64) *ring {
	return &ring{buffer: make([]byte, min(ringBytes, 2*image+64<<10)), given: make(chan struct{}, ringPieces)}
}

// take waits for a stretch for packed and plain bytes.
func (r *ring) take(ctx context.Context, packed, plain int) (in, out []byte, err error) {
	for {
		if begin, ok := r.room(packed + plain); ok && len(r.taken) < ringPieces && (r.packed == 0 || packed == 0 || r.packed+packed <= ringPacked) {
			r.taken = append(r.taken, stretch{begin, begin + packed + plain, packed})
			r.head, r.packed = begin+packed+plain, r.packed+packed
			b := r.buffer[begin : begin+packed+plain : begin+packed+plain]
			return b[:packed:packed], b[packed:], nil
		}
		select {
		case <-r.given:
			r.release()
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
	}
}

// room finds where n bytes fit.
func (r *ring) room(n int) (int, bool) {
	switch {
	case len(r.taken) == 0:
		return 0, n <= len(r.buffer)
	case r.head > r.tail && r.head+n <= len(r.buffer):
		return r.head, true
	case r.head > r.tail:
		return 0, n <= r.tail
	default:
		return r.head, r.head+n <= r.tail
	}
}

func (r *ring) release() {
	r.packed -= r.taken[0].packed
	r.taken = r.taken[1:]
	if len(r.taken) > 0 {
		r.tail = r.taken[0].begin
	} else {
		r.tail = 0
	}
}

// give gives the oldest stretch back.
func (r *ring) give() { r.given <- struct{}{} }
