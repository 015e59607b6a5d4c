package sim

import (
	"encoding/binary"
	"slices"
	"sort"
	"sync"

	"github.com/candor-ota/candor/manifests"
	policy "github.com/candor-ota/candor/manifests/rollout"
)

// Product is the line of firmware that the fleet runs.
const Product manifests.Product = "phone"

// MaxHandsets bounds a fleet.
const MaxHandsets = 10_000_000

// Fleet is a number of handsets, each with its own secret. It is safe for
// concurrent use.
type Fleet struct {
	Size int
	seed uint64

	lock   sync.Mutex
	orders map[manifests.Build]*Order
}

// NewFleet makes a fleet. The same seed gives the same secrets.
func NewFleet(size int, seed uint64) *Fleet {
	return &Fleet{Size: size, seed: seed, orders: map[manifests.Build]*Order{}}
}

// Secret is that of the handset with this number.
func (f *Fleet) Secret(handset int) policy.Secret {
	var s policy.Secret
	for i := range 4 {
		binary.LittleEndian.PutUint64(s[8*i:], mix(f.seed+mix(uint64(handset)*4+uint64(i))))
	}
	return s
}

// mix is the finalizer of SplitMix64 (Steele, Lea, Flood 2014): numbers that
// follow each other become bits that do not.
func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Order is the order in which a build reaches a fleet.
type Order struct {
	Build  manifests.Build
	places []uint64 // position above, handset below; rising
}

// Order computes the position of every handset, once per build.
func (f *Fleet) Order(b manifests.Build) *Order {
	f.lock.Lock()
	defer f.lock.Unlock()
	if o, ok := f.orders[b]; ok {
		return o
	}
	o := &Order{Build: b, places: make([]uint64, f.Size)}
	var halves sync.WaitGroup
	for _, half := range [][2]int{{0, f.Size / 2}, {f.Size / 2, f.Size}} {
		halves.Go(func() {
			for i := half[0]; i < half[1]; i++ {
				o.places[i] = uint64(policy.Position(f.Secret(i), Product, b))<<32 | uint64(i)
			}
		})
	}
	halves.Wait()
	slices.Sort(o.places)
	f.orders[b] = o
	return o
}

// Within is how many handsets a share opens to; they are the first of the
// order.
func (o *Order) Within(share manifests.SharePPM) int {
	return sort.Search(len(o.places), func(i int) bool { return o.places[i]>>32 >= uint64(share) })
}

// Handset is the number of the handset at a rank of the order.
func (o *Order) Handset(rank int) int { return int(uint32(o.places[rank])) }
