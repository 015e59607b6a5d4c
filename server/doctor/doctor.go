package doctor

import (
	"context"
	"net/http"
	"time"

	"github.com/candor-ota/candor/server/config"
	"github.com/candor-ota/candor/server/publish"
)

// Level is how bad a finding is.
type Level string

// The levels: as it should be; will become or may hide trouble; is trouble.
const (
	OK   Level = "ok"
	Warn Level = "warn"
	Fail Level = "fail"
)

// Finding is one thing that was looked at.
type Finding struct {
	Check string `json:"check"` // what was looked at, such as "keys"
	Level Level  `json:"level"`
	Says  string `json:"says"`         // what is so, and what it means
	Do    string `json:"do,omitempty"` // what to do about it; empty if nothing
}

// Worst gives the worst level.
func Worst(list []Finding) Level {
	worst := OK
	for _, f := range list {
		if f.Level == Fail || f.Level == Warn && worst == OK {
			worst = f.Level
		}
	}
	return worst
}

// Options say what to examine.
type Options struct {
	Dir config.Dir
	Now func() time.Time
	// Peer is the address of this or another server, whose clock is compared;
	// empty is none.
	Peer   string
	Client *http.Client // for Peer; nil is one with a deadline
}

// visit is one examination.
type visit struct {
	Options
	file  config.File
	tree  *publish.Checked // nil: it could not be read
	found []Finding
}

func (v *visit) say(check string, level Level, says, do string) {
	v.found = append(v.found, Finding{check, level, says, do})
}

// Examine looks at everything. What stands in the way of a check is a finding.
func Examine(ctx context.Context, o Options) []Finding {
	v := &visit{Options: o}
	var err error
	if v.file, err = o.Dir.Load(); err != nil {
		v.say("configuration", Fail, err.Error(), "mend config.yaml; the rest is examined once it can be read")
		return v.found
	}
	v.say("configuration", OK, "config.yaml holds no mistake", "")
	v.folders()
	v.disk()
	v.descriptors()
	v.stores(ctx)
	v.keys()
	v.roles()
	v.clock(ctx)
	v.tls()
	v.proxy()
	return v.found
}
