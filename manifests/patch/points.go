package patch

import (
	"math/bits"
	"sync/atomic"
)

// points remembers where in the old image certain stretches of 32 bytes stand:
// those whose rolling hash says so, one in 64 of a small image, fewer of a
// large one. Each takes a slot of a fixed table, which holds the first place
// that fell to it; a wrong answer costs a vote.
type points struct {
	slots []atomic.Uint32 // place in units of 1<<placeShift, and tagBits of the hash; 0 is empty
	rare  int             // one stretch in 1<<rare
}

const (
	maxPoints  = 1 << 24
	leastRare  = 6
	placeShift = 6 // MaxImageBytes has 1<<28 places
	tagBits    = 4
)

func newPoints(size int64) *points {
	p := &points{rare: leastRare}
	for size>>p.rare > maxPoints {
		p.rare++
	}
	p.slots = make([]atomic.Uint32, 2<<bits.Len64(uint64((size-1)>>p.rare)))
	return p
}

// slot gives where in the table the stretch with this hash goes, and its tag,
// which is not 0.
func (p *points) slot(hash uint64) (slot *atomic.Uint32, tag uint32) {
	hash *= 0x9e3779b97f4a7c15
	return &p.slots[hash>>(64-bits.Len(uint(len(p.slots)-1)))], uint32(hash)%(1<<tagBits-1) + 1
}

// add remembers a stretch at place. The lowest place stays, in whatever order
// they come.
func (p *points) add(hash uint64, place int64) {
	slot, tag := p.slot(hash)
	entry := uint32(place>>placeShift)<<tagBits | tag
	for old := slot.Load(); old == 0 || entry < old; old = slot.Load() {
		if slot.CompareAndSwap(old, entry) {
			return
		}
	}
}

// find gives the place of a stretch, to within 1<<placeShift bytes.
func (p *points) find(hash uint64) (place int64, ok bool) {
	slot, tag := p.slot(hash)
	entry := slot.Load()
	return int64(entry>>tagBits) << placeShift, entry != 0 && entry&(1<<tagBits-1) == tag
}

// roller finds the stretches that count. A run of one byte counts once.
type roller struct{ hash, last uint64 }

// roll calls found for each stretch that ends in b and counts, with where it
// ends. Stretches reach back into the b of the call before.
func (r *roller) roll(b []byte, rare int, found func(hash uint64, end int)) {
	hash := r.hash
	for i, c := range b {
		hash = hash<<2 + scatter[c]
		if hash>>(64-rare) == 0 && hash != r.last {
			r.last = hash
			found(hash, i+1)
		}
	}
	r.hash = hash
}

// scatter is the table of the rolling hash: SplitMix64 of the byte.
var scatter = makeScatter()

func makeScatter() (t [256]uint64) {
	for i := range t {
		z := uint64(i+1) * 0x9e3779b97f4a7c15
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		t[i] = z ^ z>>31
	}
	return t
}
