package doctor

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/fetch"
	"github.com/candor-ota/candor/client/handset"
	"github.com/candor-ota/candor/client/trust"
	"github.com/candor-ota/candor/manifests/diagnosis"
	"github.com/candor-ota/candor/manifests/layout"
)

// Options say what to examine.
type Options struct {
	Config *agent.Config
	Device agent.Device // nil: that of the configuration
	Online bool         // ask servers and mirrors
	Built  time.Time    // when this program was made: no clock is earlier
	// Receipts tells whether the owner's log holds, and how many entries it has.
	Receipts func() (entries int, err error)
}

// Report is what was found.
type Report struct {
	Fine     bool                `json:"fine"` // nothing is wrong
	Findings []diagnosis.Finding `json:"findings"`
}

// exam is one examination.
type exam struct {
	Options
	disk  disk.Disk
	now   time.Time // by which dates are judged
	found []diagnosis.Finding
}

// Examine looks at everything.
func Examine(ctx context.Context, o Options) Report {
	if o.Device == nil {
		o.Device = handset.Device(o.Config)
	}
	x := &exam{Options: o, disk: disk.OS{}}
	store, err := trust.Look(x.disk, filepath.Join(o.Config.State, "trust"))
	if err != nil {
		x.bad("trust", "Restore the state directory, or make the handset anew with `candor-client create` and the root of the maker.", "", "%s", err)
	}
	x.clock(store)
	if store != nil {
		x.trust(ctx, store)
	}
	x.update()
	x.slots()
	x.machine()
	x.reports()
	if o.Online && store != nil {
		x.online(ctx, store)
	}
	diagnosis.Advise(x.found, diagnosis.Owner, diagnosis.Place{})
	return Report{Fine: len(diagnosis.Failing(x.found)) == 0, Findings: x.found}
}

func (x *exam) good(subject, format string, args ...any) {
	x.found = append(x.found, diagnosis.Finding{Subject: subject, Words: fmt.Sprintf(format, args...)})
}

// bad is something on this handset that is not as it should be.
func (x *exam) bad(subject, do, command, format string, args ...any) {
	x.found = append(x.found, diagnosis.Finding{
		Kind: diagnosis.Local, Subject: subject, Words: fmt.Sprintf(format, args...), Do: do, Command: command,
	})
}

// clock finds the time by which dates are judged, as package trust does: the
// latest of the clock, the newest signed time and the making of this program.
func (x *exam) clock(store *trust.Glance) {
	now, set := x.Device.Now()
	x.now = x.Built
	if set && now.After(x.now) {
		x.now = now
	}
	var issued time.Time
	if store != nil {
		issued = store.Issued
	}
	wrong := func(format string, args ...any) {
		x.found = append(x.found, diagnosis.Finding{Kind: diagnosis.Clock, Subject: "clock", Words: fmt.Sprintf(format, args...)})
	}
	switch {
	case !set:
		wrong("the clock was never set; how fast a new build may spread is counted by powered-on time")
	case now.Before(x.Built):
		wrong("it says %s, and this program was made at %s", now.UTC().Format(time.DateTime), x.Built.UTC().Format(time.DateTime))
	case issued.After(now.Add(skew)):
		wrong("it says %s, and the server signed at %s that it is later", now.UTC().Format(time.DateTime), issued.UTC().Format(time.DateTime))
	default:
		x.good("clock", "it says %s UTC, no earlier than anything that was signed", now.UTC().Format(time.DateTime))
	}
	if issued.After(x.now) {
		x.now = issued
	}
}

// skew is by how much a clock may be off before anybody is told.
const skew = 5 * time.Minute

// trust examines what is stored of the published metadata.
func (x *exam) trust(ctx context.Context, store *trust.Glance) {
	for _, f := range store.Examine(ctx, x.Config.Product, x.now) {
		f.File = ""
		if f.Kind == diagnosis.Expired && online(f.Subject) {
			f.Do, f.Command = "It is renewed every few hours and lasts days: look for news. If that does not help, the server does not sign any more, or is not reached.", "candor-client once"
		}
		x.found = append(x.found, f)
	}
	var floors []string
	for _, role := range []string{"timestamp", "snapshot", "targets", layout.RolloutsRole, layout.ReleasesRole(x.Config.Product)} {
		if v, ok := store.Floors[role]; ok {
			floors = append(floors, fmt.Sprintf("%s %d", role, v))
		}
	}
	switch {
	case store.LastWalk.IsZero():
		x.good("versions seen", "none yet: no look for news has succeeded")
	default:
		x.good("versions seen", "%s; nothing older is believed. Last looked through as a whole: %s UTC", strings.Join(floors, ", "), store.LastWalk.UTC().Format(time.DateTime))
	}
	if !store.Behind.IsZero() {
		x.found = append(x.found, diagnosis.Finding{
			Kind: diagnosis.StaleMirror, Subject: "timestamp",
			Words: fmt.Sprintf("since %s UTC only older ones were served than one that was seen before; after a day it is called an attack", store.Behind.UTC().Format(time.DateTime)),
		})
	}
	for _, path := range store.Damaged {
		x.good("trust", "%s was damaged and set aside; it was fetched again since, or will be", path)
	}
}

func online(role string) bool {
	return role == "timestamp" || role == "snapshot" || role == layout.RolloutsRole
}

// online examines each server and mirror by itself.
func (x *exam) online(ctx context.Context, store *trust.Glance) {
	for _, list := range []struct {
		what  string
		bases []string
	}{{"server", x.Config.Servers}, {"mirror", x.Config.Mirrors}} {
		for _, base := range list.bases {
			x.ask(ctx, store, list.what, base)
		}
	}
}

func (x *exam) ask(ctx context.Context, store *trust.Glance, what, base string) {
	from, err := fetch.New(fetch.Options{Bases: []string{base}, Retries: -1})
	if err != nil {
		x.bad(what+" "+base, "Correct the configuration.", "", "%s", err)
		return
	}
	defer from.Close()
	found := store.Ask(ctx, from, x.Config.Product, x.localNow())
	failing := diagnosis.Failing(found)
	for _, f := range failing {
		f.Words = what + " " + base + ": " + f.Words
		x.found = append(x.found, f)
	}
	if len(failing) == 0 {
		x.good(what+" "+base, "it is reached, and everything that it gives holds")
	}
}

// localNow is what the clock says, for comparison with those of servers; one
// that was never set is known to be wrong already.
func (x *exam) localNow() time.Time {
	if now, set := x.Device.Now(); set {
		return now
	}
	return x.now
}
