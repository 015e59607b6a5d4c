package outbox

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"time"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/receipts"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
)

// The refusals on which callers branch.
var (
	// ErrOff says that the owner has not turned reporting on.
	ErrOff = errors.New("reporting is off")
	// ErrNoTokens says that Prepare was not called for the release, or that it
	// takes no votes.
	ErrNoTokens = errors.New("the release takes no votes, or no tokens were prepared for it")
	// ErrEnrolment says that the service does not want this handset's reports.
	ErrEnrolment = errors.New("the service refused the enrolment for good; have the factory credential checked, then opt in again")
)

// Options say where reports are kept and sent. A zero field has the default
// that its comment names.
type Options struct {
	Dir     string         // of the files; made if it is not there
	Servers []string       // base addresses of the service, tried in order; at least one
	RootCAs *x509.CertPool // for https; the system's
	Timeout time.Duration  // of one request; 30 s
	Retry   time.Duration  // greatest wait after a first failure, doubled for each further; 1 min

	Dial     func(ctx context.Context, network, address string) (net.Conn, error) // makes connections; the system's
	Disk     disk.Disk                                                            // of the files; this machine's
	Receipts Receipts                                                             // the owner's log; none: nothing is noted
	// Observe is told of each request once it is over: what it was for, how long
	// it took, and how it failed. For those who measure a service; may be nil.
	Observe func(path string, took time.Duration, err error)

	Now    func() time.Time                         // time.Now, also while it gives the zero time (a clock that was never set)
	Random io.Reader                                // for keys; crypto/rand
	Delay  func(within time.Duration) time.Duration // a random part of within; uniform
}

const (
	maxWithin = 7 * 24 * time.Hour // no random delay is longer
	maxRetry  = 6 * time.Hour      // no wait after a failure is longer, unless the service asks for more
	maxAsked  = 24 * time.Hour     // what the service may ask for
)

// Outbox keeps and sends the reports of one handset. See the package comment.
type Outbox struct {
	options  Options
	identity identity
	queue    queue
	sent     log
	known    *post // enrolment, withdrawal, tokens: requests that say who asks
	unknown  *post // votes: requests that do not
}

// Open reads the files in o.Dir. It sends nothing.
func Open(o Options) (*Outbox, error) {
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Retry == 0 {
		o.Retry = time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Disk == nil {
		o.Disk = disk.OS{}
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Delay == nil {
		o.Delay = func(within time.Duration) time.Duration { return mathrand.N(within + 1) }
	}
	if err := o.Disk.MkdirAll(o.Dir); err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	out := &Outbox{options: o}
	var err error
	if out.known, err = newPost(o); err != nil {
		return nil, err
	}
	if out.unknown, err = newPost(o); err != nil {
		return nil, err
	}
	err = errors.Join(
		load(o.Disk, out.path(identityFile), &out.identity, &out.identity.kept),
		load(o.Disk, out.path(queueFile), &out.queue, &out.queue.kept),
		load(o.Disk, out.path(sentFile), &out.sent, &out.sent.kept),
	)
	if err == nil && !out.Enabled() && len(out.queue.Entries)+len(out.queue.Named) > 0 {
		// The power was cut while the owner opted out, or the identity is lost.
		out.queue = queue{}
		err = errors.Join(out.saveQueue(), out.note(receipts.Entry{Kind: receipts.ReportsOff, Why: "Reporting was found off; what waited was destroyed."}))
	}
	if named := out.identity.ByName; err == nil && (named && len(out.queue.Entries) > 0 || !named && len(out.queue.Named) > 0) {
		out.queue = queue{} // the power was cut while the form of reports changed
		err = out.saveQueue()
	}
	return out, err
}

func (o *Outbox) path(name string) string { return filepath.Join(o.options.Dir, name) }

// now falls back on the machine's clock, which runs even if it is wrong: with
// one that stands still no delay would ever end.
func (o *Outbox) now() time.Time {
	if t := o.options.Now(); !t.IsZero() {
		return t
	}
	return time.Now()
}

// Enabled tells whether the owner has turned reporting on, as votes or by name.
func (o *Outbox) Enabled() bool { return o.identity.Consent != nil }

// votes tells whether reports leave as votes.
func (o *Outbox) votes() bool { return o.Enabled() && !o.identity.ByName }

// Sent lists the reports that were sent, oldest first; the last 512 are kept,
// also after reporting was turned off.
func (o *Outbox) Sent() []Sent { return slices.Clone(o.sent.Votes) }

// Waiting counts the reports that are queued and not settled.
func (o *Outbox) Waiting() int {
	n := 0
	for i := range o.queue.Entries {
		if o.queue.Entries[i].pending() {
			n++
		}
	}
	for i := range o.queue.Named {
		if o.queue.Named[i].State == waiting {
			n++
		}
	}
	return n
}

// Refused lists, in words, the reports that will never be counted, and why; the
// enrolment stands first if the service refused it.
func (o *Outbox) Refused() []string {
	var out []string
	if c := o.identity.Consent; c != nil && c.Refused != "" {
		out = append(out, "enrolment: "+c.Refused)
	}
	for i := range o.queue.Entries {
		if e := &o.queue.Entries[i]; e.State == refused {
			out = append(out, e.String()+": "+e.Reason)
		}
	}
	for i := range o.queue.Named {
		if n := &o.queue.Named[i]; n.State == refused {
			out = append(out, n.String()+": "+n.Reason)
		}
	}
	return out
}

// Prepare has the tokens of a release asked for, at one random moment within a
// time from now. It makes no request; Send does. Calling it again changes
// nothing. Votes are cast under the first keys of the release until UseSpare.
// With reporting off, in lab mode, or for a release that takes no votes, it
// does nothing.
func (o *Outbox) Prepare(_ context.Context, ref vote.Ref, rules manifests.VoteRules, within time.Duration) error {
	if !o.votes() || rules.Primary == nil {
		return nil
	}
	at := o.after(within)
	var added []entry
	for _, class := range vote.Classes() {
		if o.queue.find(ref, class) != nil {
			continue
		}
		e, err := newEntry(ref, class, rules)
		if err != nil {
			return fmt.Errorf("prepare reports on %s: %w", ref, err)
		}
		e.AskAt = at
		added = append(added, e)
	}
	if len(added) == 0 {
		return nil
	}
	if err := o.queue.makeRoom(len(added)); err != nil {
		return fmt.Errorf("prepare reports on %s: %w", ref, err)
	}
	o.queue.Entries = append(o.queue.Entries, added...)
	return o.saveQueue()
}

// Report queues a vote, to be sent at a random moment within a time from now.
// It is durable when Report returns. A release takes one vote of each class:
// further ones are dropped silently. In lab mode a trial or a regression is
// queued as a report by name instead, to be sent at once; other classes are
// dropped.
func (o *Outbox) Report(ref vote.Ref, class vote.Class, v vote.Vote, within time.Duration) error {
	if err := v.Validate(class); err != nil {
		return fmt.Errorf("report %s of %s: %w", class, ref, err)
	}
	switch c := o.identity.Consent; {
	case c == nil:
		return ErrOff
	case c.Refused != "":
		return fmt.Errorf("report %s of %s: %w (%s)", class, ref, ErrEnrolment, c.Refused)
	}
	if !o.votes() {
		return o.reportNamed(ref, class, v)
	}
	e := o.queue.find(ref, class)
	if e == nil {
		return fmt.Errorf("report %s of %s: %w", class, ref, ErrNoTokens)
	}
	if e.Vote != nil || !e.open() {
		return nil
	}
	within = clamp(within)
	e.Vote, e.Within = &v, within.Milliseconds()
	e.CastAt = o.after(within)
	if e.Token == nil && e.Failures == 0 {
		// The token must be there in time. It is asked for in the first half of
		// the delay, so that asking and casting still stand apart.
		e.AskAt = min(e.AskAt, o.after(within/2))
	}
	return o.saveQueue()
}

// Acknowledged tells whether nothing is to be waited for: the queued vote was
// counted, or it never will be, or there is none.
func (o *Outbox) Acknowledged(ref vote.Ref, class vote.Class) bool {
	c := o.identity.Consent
	e := o.queue.find(ref, class)
	return c == nil || c.Refused != "" || e == nil || !e.pending()
}

// after is a random moment within a time from now, in Unix milliseconds.
func (o *Outbox) after(within time.Duration) int64 {
	within = clamp(within)
	if within == 0 {
		return o.now().UnixMilli()
	}
	return o.now().Add(min(max(o.options.Delay(within), 0), within)).UnixMilli()
}

func clamp(within time.Duration) time.Duration { return min(max(within, 0), maxWithin) }

// moment reads a stored time. One that lies further ahead than any delay was
// stored before the clock was set back: it has come. The longest delay is that
// of a vote after a pause.
func (o *Outbox) moment(at int64) time.Time {
	t := time.UnixMilli(at)
	if now := o.now(); t.After(now.Add(maxWithin + maxAsked + maxRetry)) {
		return now
	}
	return t
}

func (o *Outbox) due(at int64) bool { return !o.moment(at).After(o.now()) }
