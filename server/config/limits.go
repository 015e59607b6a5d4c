package config

import (
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/overload"
)

// Limits are what the server takes at once. Each that is absent has the default
// of overload.Defaults, most of which follow from how many files the system lets
// the server open.
type Limits struct {
	// Connections of the public listener, in all and for one address (an IPv6
	// network of 64 bits is one, a trusted proxy is none).
	Connections           int `json:"connections,omitempty"`
	ConnectionsPerAddress int `json:"connectionsPerAddress,omitempty"`
	// Watch bounds the streams over which handsets are woken.
	Watch WatchLimits `json:"watch,omitzero"`
	// Reports are enrolments, tokens and votes. ReportsPerAddress is generous:
	// a carrier may have a hundred thousand handsets behind one address.
	Reports           Width      `json:"reports,omitzero"`
	ReportsPerAddress ReportRate `json:"reportsPerAddress,omitzero"`
	Downloads         Width      `json:"downloads,omitzero"`   // of images
	Operators         Width      `json:"operators,omitzero"`   // all of /v1 that has no line of its own
	Actions           Width      `json:"actions,omitzero"`     // changes of rollouts, a halt among them
	Uploads           Width      `json:"uploads,omitzero"`     // pieces of images
	Submissions       Width      `json:"submissions,omitzero"` // each may take 24 MiB of memory
	SignIns           Width      `json:"signIns,omitzero"`
	Live              Width      `json:"live,omitzero"` // streams over which dashboards are told of changes
}

// Width bounds one kind of work: so many at once, and so many that wait for up
// to two seconds; the rest get 503.
type Width struct {
	AtOnce  int  `json:"atOnce,omitempty"`
	Waiting *int `json:"waiting,omitempty"`
}

// ReportRate bounds what one address sends: so many at once, and then so many a
// second; the rest get 429.
type ReportRate struct {
	Burst     int `json:"burst,omitempty"`
	PerSecond int `json:"perSecond,omitempty"`
}

// WatchLimits bound watch streams.
type WatchLimits struct {
	Streams           int `json:"streams,omitempty"`
	StreamsPerAddress int `json:"streamsPerAddress,omitempty"`
	// Heartbeat is the time between two; 50s if absent. Proxies that are told
	// to be patient, and handsets' batteries, like more.
	Heartbeat *manifests.Duration `json:"heartbeat,omitempty"`
}

// Over gives the limits that hold, over defaults.
func (l Limits) Over(d overload.Limits) overload.Limits {
	for _, n := range []struct {
		to   *int
		from int
	}{
		{&d.Connections, l.Connections},
		{&d.ConnectionsPerAddress, l.ConnectionsPerAddress},
		{&d.Streams, l.Watch.Streams},
		{&d.StreamsPerAddress, l.Watch.StreamsPerAddress},
		{&d.ReportsPerAddress.Burst, l.ReportsPerAddress.Burst},
		{&d.ReportsPerAddress.PerSecond, l.ReportsPerAddress.PerSecond},
	} {
		if n.from > 0 {
			*n.to = n.from
		}
	}
	for _, w := range l.widths() {
		to := w.of(&d)
		if w.width.AtOnce > 0 {
			to.AtOnce = w.width.AtOnce
		}
		if w.width.Waiting != nil {
			to.Waiting = *w.width.Waiting
		}
	}
	if l.Watch.Heartbeat != nil {
		d.Heartbeat = l.Watch.Heartbeat.Duration
	}
	return d
}

type named struct {
	field string
	width Width
	of    func(*overload.Limits) *overload.Width
}

func (l Limits) widths() []named {
	return []named{
		{"reports", l.Reports, func(d *overload.Limits) *overload.Width { return &d.Reports }},
		{"downloads", l.Downloads, func(d *overload.Limits) *overload.Width { return &d.Downloads }},
		{"operators", l.Operators, func(d *overload.Limits) *overload.Width { return &d.Operators }},
		{"actions", l.Actions, func(d *overload.Limits) *overload.Width { return &d.Actions }},
		{"uploads", l.Uploads, func(d *overload.Limits) *overload.Width { return &d.Uploads }},
		{"submissions", l.Submissions, func(d *overload.Limits) *overload.Width { return &d.Submissions }},
		{"live", l.Live, func(d *overload.Limits) *overload.Width { return &d.Live }},
		{"signIns", l.SignIns, func(d *overload.Limits) *overload.Width { return &d.SignIns }},
	}
}

const mostAtOnce = 1 << 20

func (l Limits) validate(say say) {
	positive := func(field string, n int) {
		if n < 0 || n > mostAtOnce {
			say("limits."+field, "is %d; 1 to %d are allowed, and 0 is the default", n, mostAtOnce)
		}
	}
	positive("connections", l.Connections)
	positive("connectionsPerAddress", l.ConnectionsPerAddress)
	positive("watch.streams", l.Watch.Streams)
	positive("watch.streamsPerAddress", l.Watch.StreamsPerAddress)
	positive("reportsPerAddress.burst", l.ReportsPerAddress.Burst)
	positive("reportsPerAddress.perSecond", l.ReportsPerAddress.PerSecond)
	for _, w := range l.widths() {
		positive(w.field+".atOnce", w.width.AtOnce)
		if w.width.Waiting != nil {
			positive(w.field+".waiting", *w.width.Waiting)
		}
	}
	if h := l.Watch.Heartbeat; h != nil && (h.Duration < 10*time.Second || h.Duration > 4*time.Minute) {
		say("limits.watch.heartbeat", "is %s; 10s to 4m are allowed, as handsets give up a stream that is silent for 10m", h)
	}
}
