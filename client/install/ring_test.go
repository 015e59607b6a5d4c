package install

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
)

// Stretches never overlap, whatever their sizes, and all of them come.
func TestRingGivesEachStretchToOneHolder(t *testing.T) {
	r, chance := newRing(ringBytes), rand.New(rand.NewPCG(1, 1))
	type held struct {
		b    []byte
		mark byte
	}
	holders := make(chan held, ringPieces)
	done := make(chan error)
	go func() {
		for h := range holders {
			for _, c := range h.b {
				if c != h.mark {
					done <- errors.New("somebody else wrote here")
					return
				}
			}
			r.give()
		}
		done <- nil
	}()
	for i := range 3000 {
		packed, plain := 0, chance.IntN(1<<(1+chance.IntN(20)))
		if i%2 == 0 {
			packed = chance.IntN(1 << (1 + chance.IntN(20)))
		}
		in, out, err := r.take(t.Context(), packed, plain)
		if err != nil || len(in) != packed || len(out) != plain {
			t.Fatalf("%d and %d bytes of %d and %d, %v", len(in), len(out), packed, plain, err)
		}
		if r.packed > ringPacked && len(r.taken) > 1 && packed > 0 && r.packed != packed {
			t.Fatalf("%d packed bytes under way", r.packed)
		}
		for j := range in {
			in[j] = byte(i)
		}
		for j := range out {
			out[j] = byte(i)
		}
		holders <- held{out, byte(i)}
	}
	close(holders)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestFullRingEndsWithItsContext(t *testing.T) {
	r := newRing(ringBytes)
	if _, _, err := r.take(t.Context(), 0, ringBytes); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := r.take(ctx, 0, 1); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

// What is under way in the stages, in the kernel and in the readers of all
// connections is what a process that dies downloads twice.
func TestLessThanAMiBIsUnderWay(t *testing.T) {
	const reader = 32 << 10 // of each connection, in client/fetch
	if lost := ringPacked + windowBytes + rangesAtATime*reader; lost > 1<<20 {
		t.Errorf("%d bytes", lost)
	}
}
