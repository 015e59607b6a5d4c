package agent

import (
	"path/filepath"
	"strconv"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
)

const maxMemoryBytes = 256 << 10

// memory is what the agent remembers from one poll to the next, beside the
// journal of a running update. Keys of maps are build numbers in decimal.
type memory struct {
	Floor      manifests.SecurityEpoch   `json:"floor"`                // of the last healthy boot
	Consent    map[string]rollout.Answer `json:"consent,omitempty"`    // the owner's word on notices
	Failures   map[string]int            `json:"failures,omitempty"`   // trials that ended in a rollback
	HaltedSeen map[string]manifests.Time `json:"haltedSeen,omitempty"` // builds seen halted, and since when they are offered again
	Halted     map[string]bool           `json:"halted,omitempty"`     // builds seen halted and not offered since
	PoweredOn  map[string]int64          `json:"poweredOn,omitempty"`  // seconds, since the release was first verified
	Uptime     int64                     `json:"uptime,omitempty"`     // seconds, at the last poll
	Lab        string                    `json:"lab,omitempty"`        // lab id, in hexadecimal; only in lab mode
	Wish       wish                      `json:"wish,omitzero"`
	Downloaded int64                     `json:"downloaded,omitempty"` // bytes of images, ever
	Warnings   []string                  `json:"warnings,omitempty"`
	Head       string                    `json:"head,omitempty"`    // of the chain of rollouts
	Counter    uint64                    `json:"counter,omitempty"` // of the rollouts that were verified last
	Spread     *manifests.Duration       `json:"spread,omitempty"`  // the longest that they sign; nil: there are none
	NextBy     *manifests.Time           `json:"nextBy,omitempty"`  // the maker promised news by then
	Good       manifests.Build           `json:"good,omitempty"`    // the last build that was marked good
	GoodSince  *manifests.Time           `json:"goodSince,omitempty"`
	Notices    map[string]notice         `json:"notices,omitempty"` // of the releases that are signed now
	Backoff    backoff                   `json:"backoff,omitzero"`
	Last       Status                    `json:"last,omitzero"`
}

// wish is the owner's standing request.
type wish struct {
	GetItNow       bool            `json:"getItNow,omitempty"`
	PastPace       bool            `json:"pastPace,omitempty"`
	PostponedSince *manifests.Time `json:"postponedSince,omitempty"`
	PostponedUntil *manifests.Time `json:"postponedUntil,omitempty"`
	PayForData     bool            `json:"payForData,omitempty"`
	Retry          manifests.Build `json:"retry,omitempty"`
}

func (a *Agent) memoryPath() string { return filepath.Join(a.Config.State, "memory.json") }

func (a *Agent) loadMemory() error {
	var err error
	a.kept, err = loadJSON(a.Disk, a.memoryPath(), maxMemoryBytes, &a.mem)
	return err
}

func (a *Agent) saveMemory() error { return saveJSON(a.Disk, a.memoryPath(), a.kept, &a.mem) }

func put[V any](m *map[string]V, build manifests.Build, v V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[build.String()] = v
}

func byBuild[V, W any](m map[string]V, convert func(V) W) map[manifests.Build]W {
	out := make(map[manifests.Build]W, len(m))
	for k, v := range m {
		if n, err := strconv.ParseUint(k, 10, 64); err == nil {
			out[manifests.Build(n)] = convert(v)
		}
	}
	return out
}

func same[V any](v V) V { return v }

// halted gives the builds whose pace begins anew: zero while they are not
// offered again.
func (m *memory) halted() map[manifests.Build]time.Time {
	out := byBuild(m.HaltedSeen, func(t manifests.Time) time.Time { return t.Time })
	for build := range byBuild(m.Halted, same) {
		out[build] = time.Time{}
	}
	return out
}

func (w wish) rollout() rollout.Wish {
	out := rollout.Wish{GetItNow: w.GetItNow, PastPace: w.PastPace, PayForData: w.PayForData}
	if w.PostponedSince != nil && w.PostponedUntil != nil {
		out.PostponedSince, out.PostponedUntil = w.PostponedSince.Time, w.PostponedUntil.Time
	}
	return out
}
