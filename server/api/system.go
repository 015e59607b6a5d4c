package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/server/observe"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/store"
)

// getSystem shows the installation as this server sees it. A part that cannot
// be read is shown as such, and hides no other.
func (a *API) getSystem(c *gin.Context) {
	ctx := c.Request.Context()
	out := contract.System{At: a.Now(), Servers: a.serverRows(), Queues: a.queues()}
	out.Published = a.published(ctx)
	out.Parts = a.parts(ctx)
	out.Streams = &struct {
		Handsets int64 `json:"handsets"`
		People   int64 `json:"people"`
	}{Handsets: a.Watch.Stats().Open, People: a.Live.Stats().Open}
	if head, err := a.Ledger.AuditHead(ctx); err == nil {
		out.Audit = &contract.AuditHead{Seq: head.Seq, Hash: head.Hash.String(), Words: head.Hash.Words()}
	}
	if lease, err := a.Ledger.Lease(ctx, publish.LeaseName); err == nil {
		a.publisher(&out, lease)
	}
	a.reply(c, out, nil)
}

// publisher says which server publishes, or did last. One that is gone is not
// named.
func (a *API) publisher(out *contract.System, lease store.Lease) {
	for i := range out.Servers {
		if s := &out.Servers[i]; s.Id == lease.Holder || a.Peers == nil {
			yes, now := true, lease.Expires.After(a.Now())
			s.Publisher, out.Publisher, out.Publishing = &yes, &s.Id, &now
		}
	}
}

// alone is the ID of a server that has no others.
const alone = "alone"

func (a *API) serverRows() []contract.ServerRow {
	if a.Peers == nil {
		row := contract.ServerRow{Id: alone, Seen: a.Now(), Here: true, Started: &a.started}
		if host, err := os.Hostname(); err == nil {
			row.Name = &host
		}
		program := observe.Program()
		row.Program = &program
		return []contract.ServerRow{row}
	}
	self := a.Peers.Self()
	self.Seen = a.Now()
	rows := []contract.ServerRow{serverRow(self, true, a.Peers.Trouble())}
	for _, o := range a.Peers.Others() {
		trouble := ""
		if len(o.Differs) > 0 {
			trouble = "its settings differ from those of the one that answers: " + strings.Join(o.Differs, ", ")
		}
		rows = append(rows, serverRow(o.Server, false, trouble))
	}
	return rows
}

func serverRow(s store.Server, here bool, trouble string) contract.ServerRow {
	row := contract.ServerRow{Id: s.ID, Seen: s.Seen, Here: here, Started: &s.Started}
	for _, text := range []struct {
		from string
		to   **string
	}{{s.Name, &row.Name}, {s.Program, &row.Program}, {trouble, &row.Trouble}} {
		if text.from != "" {
			*text.to = &text.from
		}
	}
	return row
}

// queues gives the lanes in the order of their names.
func (a *API) queues() []contract.Queue {
	lanes := a.lanes.named()
	out := []contract.Queue{}
	for _, name := range slices.Sorted(maps.Keys(lanes)) {
		s := lanes[name].Stats()
		away := s.Full + s.Slow
		out = append(out, contract.Queue{Name: name, Running: s.Running, Waiting: s.Waiting, Width: s.Width, TurnedAway: &away})
	}
	return out
}

// published is what this server serves; nil while there is nothing.
func (a *API) published(ctx context.Context) *contract.Published {
	t := a.Tree.Tree()
	if t == nil {
		return nil
	}
	out := &contract.Published{Snapshot: t.Snapshot, Timestamp: t.Timestamp, At: t.Issued, Expires: t.Expires}
	if behind, err := a.Tree.Behind(ctx); err == nil {
		out.Behind = &behind
	}
	if a.follower != nil {
		lag := a.follower.Silent().Milliseconds()
		out.LagMillis = &lag
	}
	if since := a.Tree.FailingSince(); !since.IsZero() {
		out.FailingSince = &since
	}
	return out
}

// partTime bounds one look at a part.
const partTime = 2 * time.Second

// parts looks at what this server stands on: only at what costs little.
func (a *API) parts(ctx context.Context) []contract.Part {
	ctx, done := context.WithTimeout(ctx, partTime)
	defer done()
	out := []contract.Part{a.ledgerPart(ctx), a.blobsPart(ctx), a.publishPart()}
	if a.Peers != nil {
		out = append(out, part("clock", "server", a.Peers.Trouble(), fmt.Sprintf("within %s of the ledger's", a.Peers.Stats().Skew.Abs().Round(time.Millisecond))))
	}
	if a.follower != nil {
		why := ""
		if s := a.follower.Silent(); s > silence {
			why = "what other servers publish has not been read for " + s.Round(time.Second).String()
		}
		out = append(out, part("other servers", "server", why, "what they publish is followed"))
	}
	if p := a.People.Provider; p != nil {
		out = append(out, part("sign-in", "provider", "", "people sign in at "+p.Host()+", which is asked when one does"))
	}
	return append(out, a.hookParts(ctx)...)
}

// part is well unless why says otherwise.
func part(name, kind, why, well string) contract.Part {
	if why != "" {
		return contract.Part{Name: name, Kind: kind, Sentence: why}
	}
	return contract.Part{Name: name, Kind: kind, Ok: true, Sentence: well}
}

func (a *API) ledgerPart(ctx context.Context) contract.Part {
	why := ""
	if a.Ledger.Ping(ctx) != nil {
		why = "it cannot be read; handsets are served what was verified last, and nothing can be changed"
	}
	return part("ledger", "ledger", why, "it answers")
}

// blobsPart opens a small file that is always there once something is published.
func (a *API) blobsPart(ctx context.Context) contract.Part {
	why := ""
	if t := a.Tree.Tree(); t != nil {
		if r, _, err := a.Blobs.Open(ctx, layout.TimestampFile); err != nil {
			why = "what is published cannot be read back from the store; images may not be served"
		} else if err := r.Close(); err != nil {
			why = "what is published cannot be read back from the store"
		}
	}
	return part("blobs", "blobs", why, "what is published can be read")
}

func (a *API) publishPart() contract.Part {
	why := a.polls()
	if since := a.Tree.FailingSince(); why == "" && !since.IsZero() {
		why = "the tree cannot be published since " + since.UTC().Format(time.RFC3339) + "; see this server's log"
	}
	return part("publishing", "publisher", why, "the tree is fresh")
}

func (a *API) hookParts(ctx context.Context) []contract.Part {
	var out []contract.Part
	list, err := a.Ledger.Hooks(ctx)
	for _, c := range a.Hooks.Hooks() {
		name := string(c.Name)
		i := slices.IndexFunc(list, func(h store.Hook) bool { return h.Name == name })
		switch {
		case err != nil && !errors.Is(err, store.ErrNotFound):
			out = append(out, part(name, "webhook", "whether it is delivered cannot be told while the ledger cannot be read", ""))
		case i < 0:
			out = append(out, part(name, "webhook", "", "nothing was delivered yet"))
		case !list[i].FailingSince.IsZero():
			out = append(out, part(name, "webhook", "it cannot be delivered since "+list[i].FailingSince.UTC().Format(time.RFC3339), ""))
		default:
			out = append(out, part(name, "webhook", "", fmt.Sprintf("%d delivered", list[i].Delivered)))
		}
	}
	return out
}
