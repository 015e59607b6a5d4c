package powertest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/boot/sim"
	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/disk/disktest"
	"github.com/candor-ota/candor/client/trust"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/image/imagetest"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
)

const phone = manifests.Product("phone")

var began = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

// imageBytes is the size of an image, segmentBytes what is written between two
// syncs.
const (
	imageBytes   = 128 << 10
	loaderBytes  = 20 << 10
	segmentBytes = 40 << 10
)

// maker is what engineers have signed. Handsets leave the factory with build 41.
// Each later build but the last changes a part of the one before: 42 has a patch
// from 41, 43 shares chunks, 44 shares nothing.
type maker struct {
	releases map[manifests.Build]*manifests.Release
	images   map[manifests.Build][]*imagetest.Built
	blobs    cdn
}

var made = sync.OnceValue(func() *maker {
	m := &maker{releases: map[manifests.Build]*manifests.Release{}, images: map[manifests.Build][]*imagetest.Built{}, blobs: cdn{}}
	system := imagetest.Text(imageBytes, 41)
	for b := manifests.Build(41); b <= 44; b++ {
		switch b {
		case 42, 43:
			system = slices.Clone(system)
			copy(system[int(b-42)*(60<<10)+(10<<10):], imagetest.Text(25<<10, uint64(b)))
		case 44:
			system = imagetest.Text(imageBytes, uint64(b))
		}
		image := imagetest.Build("system", system)
		if b == 42 {
			image.PatchFrom(m.images[41][1].Plain)
		}
		m.sign(b, imagetest.Build("boot", imagetest.Text(loaderBytes, 1000+uint64(b))), image)
	}
	return m
})

func (m *maker) sign(build manifests.Build, images ...*imagetest.Built) {
	r := imagetest.Release(phone, build, began.Add(-time.Hour))
	r.SecurityEpoch, r.OfferUntil = manifests.SecurityEpoch(build-40), manifests.At(began.AddDate(0, 3, 0))
	r.Images, r.Votes = nil, voteRules(build)
	for _, b := range images {
		r.Images = append(r.Images, b.Image)
		maps.Copy(m.blobs, b.Files)
	}
	m.releases[build], m.images[build] = r, images
}

// view is what a handset sees while builds stand as they do in a chapter.
func (m *maker) view(c *chapter) *trust.View {
	v := &trust.View{
		Document: &rollout.Document{Product: phone, Counter: 1}, Releases: map[manifests.Build]rollout.Signed{}, Expiry: began, Pace: began,
	}
	share := manifests.WholeFleet
	if c.closed {
		share = 0
	}
	for _, b := range slices.Backward(slices.Sorted(maps.Keys(c.offers))) {
		ref := rollout.Reference{Path: layout.ReleasePath(phone, b), Length: 100, SHA256: manifests.SumSHA256([]byte(b.String()))}
		v.Releases[b] = rollout.Signed{Reference: ref, Release: m.releases[b]}
		v.Document.Rollouts = append(v.Document.Rollouts, rollout.Rollout{
			ID: manifests.Name(fmt.Sprint("r", b)), Release: ref, Build: b, Channel: "stable", State: c.offers[b],
			Share: share, Kind: manifests.KindNormal, Window: &rollout.Window{From: 120, To: 300},
		})
	}
	return v
}

// Poll makes a chapter the agent's Trust.
func (c *chapter) Poll(context.Context) (*trust.View, error) { return made().view(c), nil }

// chapter is a time in which nothing outside of the handset changes.
type chapter struct {
	offers map[manifests.Build]rollout.State
	minute rollout.ClockTime // of the local day; restarts are from 120 to 300
	closed bool              // what is offered is for no handset yet
	starts bool              // the agent's process is started anew, without a restart of the handset
	ends   []end             // the handset must come to one of them
}

// end is where a chapter may leave a handset.
type end struct {
	runs  manifests.Build
	state agent.State
	code  rollout.Code // empty: any
}

// story is an update, from its beginning to its end.
type story struct {
	name     string
	sick     bool // build 42 fails its health check
	reports  bool // the owner turned reports on
	spoilt   bool // a byte of the slot changes before it is read back, once
	chapters []chapter
	deaf     func(kind disktest.Kind, path string) bool // what the disk only says that it does
	slots    func(h *handset, s *sim.Sim) agent.Storage // swaps steps, in mutations
	disk     func(h *handset, d *disktest.Disk) disk.Disk
}

type standings map[manifests.Build]rollout.State

const night = 130

func (c chapter) at(minute rollout.ClockTime) chapter { c.minute = minute; return c }

func offering(offers standings, ends ...end) chapter {
	return chapter{offers: offers, minute: night, ends: ends}
}

func stories() []*story {
	runs := func(b manifests.Build) end { return end{b, agent.Idle, ""} }
	active := func(b manifests.Build) standings { return standings{b: rollout.Active} }
	day := rollout.ClockTime(600)
	waits := end{41, agent.RebootPending, rollout.BeforeWindow}
	bad := end{41, agent.Idle, rollout.BadTarget}
	return []*story{
		{name: "patch", chapters: []chapter{
			offering(active(42), runs(42)),
			{offers: active(42), minute: night, starts: true, ends: []end{{42, agent.Idle, rollout.UpToDate}}},
		}},
		{name: "chunks", chapters: []chapter{offering(active(43), runs(43))}},
		{name: "full", chapters: []chapter{offering(active(44), runs(44))}},
		{name: "two", chapters: []chapter{offering(active(42), runs(42)), offering(active(43), runs(43))}},
		{name: "sick", sick: true, chapters: []chapter{offering(active(42), bad), offering(active(42), bad)}},
		{name: "reports", reports: true, chapters: []chapter{offering(active(42), runs(42))}},
		{name: "sick-reports", reports: true, sick: true, chapters: []chapter{offering(active(42), bad)}},
		{name: "spoilt", spoilt: true, chapters: []chapter{offering(active(42), runs(42))}},
		{name: "halt", chapters: []chapter{ // of an armed build
			offering(active(42), waits, runs(42)).at(day),
			offering(standings{42: rollout.Halted}, end{41, agent.Idle, rollout.HaltedCode}, runs(42)),
		}},
		{name: "instead", chapters: []chapter{ // of an armed build another one
			offering(active(42), waits, runs(42)).at(day),
			offering(standings{43: rollout.Active, 42: rollout.Superseded}, runs(43)),
		}},
	}
}

// factory is the disk with which every handset begins, agent started once.
var factory = sync.OnceValue(func() *disktest.Disk {
	d, images := disktest.New(0), map[manifests.Name]string{}
	for _, b := range made().images[41] {
		path := "factory/" + string(b.Image.Slot) + ".img"
		must(disk.Replace(d, path, b.Plain))
		images[b.Image.Slot] = path
	}
	must(sim.CreateOn(d, "slots", images, boot.Metadata{Product: phone, Build: 41, SecurityEpoch: 1, Version: "factory"}))
	d = d.Clone()
	h := newHandset(&story{name: "factory", chapters: []chapter{{minute: night}}}, d, outside{})
	must(h.powerOn())
	_, err := h.poll()
	must(err)
	return d.Clone()
})
