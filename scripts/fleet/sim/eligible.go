package sim

import (
	"sync"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/manifests"
	policy "github.com/candor-ota/candor/manifests/rollout"
)

// Eligible plays so many polls of every handset of a fleet against a document
// that opens a build to a share, and gives how many handsets were offered it
// at the first poll, and at any of them.
func Eligible(f *Fleet, b manifests.Build, share manifests.SharePPM, polls int, every agent.Poll) (first, ever int) {
	release := newRelease(b, epoch)
	document := &policy.Document{Spec: policy.Spec, Product: Product, Counter: 1, Rollouts: []policy.Rollout{{
		ID: "rollout", Release: release.Reference, Build: b, Channel: channel, State: policy.Active, Share: share, Kind: manifests.KindNormal,
	}}}
	var lock sync.Mutex
	var halves sync.WaitGroup
	for half := range 2 {
		halves.Go(func() {
			in := policy.Input{Document: document, Releases: map[manifests.Build]policy.Signed{b: release}, Handset: newHandset(b - 1)}
			atFirst, atAny := 0, 0
			for i := half; i < f.Size; i += 2 {
				in.Handset.Secret = f.Secret(i)
				offers, random := 0, uint64(i)
				now := epoch
				for n := range polls {
					in.Times = policy.Times{Expiry: now, Pace: now}
					if policy.Decide(in).Offer != nil {
						offers++
						if n == 0 {
							atFirst++
						}
					}
					random = mix(random)
					now = now.Add(every.Next(func(n int64) int64 { return int64(random % uint64(n)) }))
				}
				if offers > 0 {
					atAny++
				}
			}
			lock.Lock()
			defer lock.Unlock()
			first, ever = first+atFirst, ever+atAny
		})
	}
	halves.Wait()
	return first, ever
}

// Overlap is how many of the handsets that a share of one build opens to are
// also among those of another, and how many the share of the first holds.
func Overlap(f *Fleet, a, b manifests.Build, share manifests.SharePPM) (both, of int) {
	is := make([]bool, f.Size)
	first, second := f.Order(a), f.Order(b)
	of = first.Within(share)
	for rank := range of {
		is[first.Handset(rank)] = true
	}
	for rank := range second.Within(share) {
		if is[second.Handset(rank)] {
			both++
		}
	}
	return both, of
}
