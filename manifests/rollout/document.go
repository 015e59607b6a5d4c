package rollout

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/strict"
)

// Spec names the form of Document.
const Spec = "candor-rollouts-v1"

// Bounds of a document.
const (
	MaxBytes    = 128 << 10
	maxRollouts = 64
	maxList     = 1024
	maxReason   = 500
)

// Document holds all live rollouts of a product, newest first.
type Document struct {
	Spec     string            `json:"spec"`
	Product  manifests.Product `json:"product"`
	Counter  uint64            `json:"counter"`        // rises by one with each document
	Prev     *manifests.SHA256 `json:"prev,omitempty"` // of the document before; absent in the first
	Rollouts []Rollout         `json:"rollouts"`
}

// Rollout opens one release to a part of the fleet.
type Rollout struct {
	ID       manifests.Name     `json:"id"`
	Release  Reference          `json:"release"`
	Build    manifests.Build    `json:"build"`
	Channel  manifests.Name     `json:"channel"`
	Audience Audience           `json:"audience"`
	State    State              `json:"state"`
	Stage    int                `json:"stage"` // counts from 0
	Share    manifests.SharePPM `json:"sharePPM"`
	Kind     manifests.Kind     `json:"kind"`
	Deadline *manifests.Time    `json:"deadline,omitempty"` // of critical rollouts: restart by then
	Deferral manifests.Duration `json:"deferral"`           // the longest that an owner may put it off
	Window   *Window            `json:"window,omitempty"`   // restart only then, in the handset's local time
	Spread   manifests.Duration `json:"spread"`             // handsets poll within it after a wake-up
	Retry    bool               `json:"retry,omitempty"`    // handsets that rolled back may try once more
	Reason   string             `json:"reason,omitempty"`   // of the last change, for people
}

// Reference names a release exactly; the handset demands that the engineers'
// role signs the same path, length and hash.
type Reference struct {
	Path   string           `json:"path"`
	Length int64            `json:"length"` // bytes
	SHA256 manifests.SHA256 `json:"sha256"`
}

// Audience narrows a rollout. Empty lists admit all.
type Audience struct {
	Models     []manifests.Name   `json:"models,omitempty"`
	Regions    []manifests.Name   `json:"regions,omitempty"`
	FromBuilds *BuildRange        `json:"fromBuilds,omitempty"`
	Lab        []manifests.SHA256 `json:"lab,omitempty"` // LabHash of lab ids; only handsets in lab mode read it
}

// BuildRange is inclusive at both ends.
type BuildRange struct {
	Min manifests.Build `json:"min"`
	Max manifests.Build `json:"max"`
}

// Window is a part of the day in local time, such as 02:00 to 05:00; it may
// cross midnight.
type Window struct {
	From ClockTime `json:"from"`
	To   ClockTime `json:"to"`
}

// ClockTime is minutes since midnight, written 02:30.
type ClockTime int

// UnmarshalText reads hh:mm.
func (c *ClockTime) UnmarshalText(b []byte) error {
	h, m, ok := strings.Cut(string(b), ":")
	hh, herr := strconv.Atoi(h)
	mm, merr := strconv.Atoi(m)
	if !ok || herr != nil || merr != nil || len(h) != 2 || len(m) != 2 || hh < 0 || hh > 23 || mm < 0 || mm > 59 {
		return fmt.Errorf("%q is not a time of day: write hh:mm", b)
	}
	*c = ClockTime(hh*60 + mm)
	return nil
}

// MarshalText writes hh:mm.
func (c ClockTime) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

func (c ClockTime) String() string { return fmt.Sprintf("%02d:%02d", int(c)/60, int(c)%60) }

// Contains tells whether a moment, in minutes since local midnight, is inside.
func (w Window) Contains(minute ClockTime) bool {
	if w.From <= w.To {
		return minute >= w.From && minute < w.To
	}
	return minute >= w.From || minute < w.To
}

// Opens tells how long after a moment, in minutes since local midnight, the
// window opens next, and how long it stays open.
func (w Window) Opens(minute ClockTime) (in, length time.Duration) {
	const day = 24 * 60
	ahead := func(from, to ClockTime) time.Duration { return time.Duration((int(to-from)+day)%day) * time.Minute }
	return ahead(minute, w.From), ahead(w.From, w.To)
}

// State is where a rollout stands, as handsets see it.
type State string

// The states. Handsets install in Active alone.
const (
	Scheduled  State = "scheduled"
	Active     State = "active"
	Held       State = "held"
	Halted     State = "halted" // a signed tombstone
	Complete   State = "complete"
	Superseded State = "superseded"
	Abandoned  State = "abandoned"
)

var states = []State{Scheduled, Active, Held, Halted, Complete, Superseded, Abandoned}

// Installable tells whether handsets in share may take the release. A complete
// rollout stays open: who comes late still gets the fix.
func (s State) Installable() bool { return s == Active || s == Complete }

// Parse reads a signed rollouts document: canonical JSON, at most MaxBytes.
func Parse(data []byte) (*Document, error) {
	var d Document
	if err := strict.Decode(data, MaxBytes, &d); err != nil {
		return nil, fmt.Errorf("rollouts: %w", err)
	}
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("rollouts: %w", err)
	}
	canonical, err := d.Canonical()
	if err != nil {
		return nil, fmt.Errorf("rollouts: %w", err)
	}
	if !bytes.Equal(canonical, data) {
		return nil, fmt.Errorf("rollouts: %w", strict.Refuse("", "is not in canonical form (sorted keys, no white space)"))
	}
	return &d, nil
}

// Canonical gives the bytes that are hashed and signed.
func (d *Document) Canonical() ([]byte, error) { return strict.Canonical(d) }

// Validate checks everything that the document says about itself.
func (d *Document) Validate() error {
	switch {
	case d.Spec != Spec:
		return strict.Refuse("spec", "is %q; this program reads %q", d.Spec, Spec)
	case d.Counter == 0:
		return strict.Refuse("counter", "is 0; the first document is 1")
	case (d.Counter == 1) != (d.Prev == nil):
		return strict.Refuse("prev", "is absent in the first document, and only there")
	case len(d.Rollouts) > maxRollouts:
		return strict.Refuse("rollouts", "has %d entries; at most %d", len(d.Rollouts), maxRollouts)
	}
	for i := range d.Rollouts {
		path := fmt.Sprintf("rollouts[%d]", i)
		if err := d.Rollouts[i].validate(path, d.Product); err != nil {
			return err
		}
		if slices.ContainsFunc(d.Rollouts[:i], func(r Rollout) bool { return r.ID == d.Rollouts[i].ID }) {
			return strict.Refuse(path+".id", "%q is given twice", d.Rollouts[i].ID)
		}
	}
	return nil
}

func (r *Rollout) validate(path string, product manifests.Product) error {
	p, b, err := layout.ParseReleasePath(r.Release.Path)
	switch {
	case err != nil:
		return strict.Refuse(path+".release.path", "%v", err)
	case p != product || b != r.Build:
		return strict.Refuse(path+".release.path", "%q is not build %d of %s", r.Release.Path, r.Build, product)
	case r.Release.Length <= 0 || r.Release.Length > manifests.MaxReleaseBytes:
		return strict.Refuse(path+".release.length", "is %d; 1 to %d bytes are allowed", r.Release.Length, manifests.MaxReleaseBytes)
	case !slices.Contains(states, r.State):
		return strict.Refuse(path+".state", "%q is not a state", r.State)
	case r.Share > manifests.WholeFleet:
		return strict.Refuse(path+".sharePPM", "is %d; at most 1000000 parts per million", r.Share)
	case r.Stage < 0:
		return strict.Refuse(path+".stage", "is below 0")
	case r.Kind.Rank() < 0:
		return strict.Refuse(path+".kind", "is %q; use optional, normal or critical", r.Kind)
	case len(r.Reason) > maxReason:
		return strict.Refuse(path+".reason", "is longer than %d bytes", maxReason)
	}
	return r.Audience.validate(path + ".audience")
}

func (a *Audience) validate(path string) error {
	if n := max(len(a.Models), len(a.Regions), len(a.Lab)); n > maxList {
		return strict.Refuse(path, "a list has %d entries; at most %d", n, maxList)
	}
	if f := a.FromBuilds; f != nil && f.Min > f.Max {
		return strict.Refuse(path+".fromBuilds", "min %d is above max %d", f.Min, f.Max)
	}
	return nil
}
