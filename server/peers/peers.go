// Package peers lets servers that work on one ledger notice what would make them
// work against each other: other keys, another vote master, other rules, a clock
// that differs.
//
// Parties. Each server writes itself on a roll in the ledger and reads the
// others. Whoever can write to the ledger can lie there; all that a lie does is
// to keep a server from starting, or to have it warn.
//
// Promises. A server with other keys than one that lives does not start. Other
// settings are said, by name, as long as they differ. Fingerprints tell nobody
// anything about what they are of: they are keyed with the vote master. A server
// whose clock is off by more than Slack takes no lease.
//
// Failure. While the ledger is away nothing is known and nothing is concluded.
package peers

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

// Times and bounds.
const (
	// Every is how often a server says that it is there.
	Every = 5 * time.Second
	// Alive is how long one that says nothing counts as living: what a server
	// waits that must not start beside another.
	Alive = 4 * Every
	// Warn and Slack are how far a clock may be off before that is said, and
	// before the server takes no lease. Slack is less than half of what a lease
	// lives, so that two servers that are off to both sides leave each other be.
	Warn  = time.Second
	Slack = 2 * time.Second
	// farther is the round trip beyond which a clock cannot be judged.
	farther = time.Second
)

// Fact is something that servers on one ledger have in common.
type Fact struct {
	Name string
	Must bool // a server that differs does not start; otherwise it is said
	of   string
}

// NewFact makes a fact of a value, which is fingerprinted as JSON.
func NewFact(master vote.Master, name string, must bool, value any) (Fact, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return Fact{}, fmt.Errorf("%s: %w", name, err)
	}
	h := hmac.New(sha256.New, master[:])
	h.Write([]byte("candor-fact-v1\x00" + name + "\x00"))
	h.Write(data)
	return Fact{Name: name, Must: must, of: hex.EncodeToString(h.Sum(nil)[:16])}, nil
}

// Options of a Member.
type Options struct {
	Roll  store.Servers
	Home  string // of the data directory, which one process at a time locks
	Alone bool   // it can bear no other server beside it
	Facts []Fact
	// Name and Program are for people: the host, and the version of the program.
	Name, Program string
	Now           func() time.Time
	Log           *slog.Logger
}

// Member is this server among the others. It is safe for concurrent use.
type Member struct {
	Options
	self    store.Server
	skew    atomic.Int64 // nanoseconds that our clock is ahead
	old     atomic.Bool  // a newer server made the tables such that we cannot work on them
	others  atomic.Int64
	differs atomic.Int64 // settings that differ
	told    string       // of which differences the log knows
	roll    atomic.Pointer[store.Roll]
}

// ErrDiffers means that another server that lives cannot be worked beside.
var ErrDiffers = errors.New("cannot work beside another server")

// Join puts the server on the roll, or refuses to.
func Join(ctx context.Context, o Options) (*Member, error) {
	m := &Member{Options: o, self: store.Server{ID: rand.Text(), Home: o.Home, Alone: o.Alone, Name: o.Name, Program: o.Program, Facts: map[string]string{}, Started: o.Now()}}
	for _, f := range o.Facts {
		m.self.Facts[f.Name] = f.of
	}
	if err := m.measure(ctx); err != nil {
		return nil, err
	}
	roll, err := o.Roll.Announce(ctx, m.self)
	if err != nil {
		return nil, err
	}
	if err := m.refuse(roll); err != nil {
		return nil, errors.Join(err, m.Leave(ctx))
	}
	m.take(roll)
	return m, nil
}

// Leave takes the server off the roll.
func (m *Member) Leave(ctx context.Context) error { return m.Roll.Leave(ctx, m.self.ID) }

func living(roll store.Roll) []store.Server {
	return slices.DeleteFunc(slices.Clone(roll.Others), func(s store.Server) bool { return roll.Now.Sub(s.Seen) > Alive })
}

// refuse names what keeps this server from working beside those that live.
func (m *Member) refuse(roll store.Roll) error {
	for _, s := range living(roll) {
		who := fmt.Sprintf("the server that started at %s and was seen %s ago", s.Started.UTC().Format(time.RFC3339), roll.Now.Sub(s.Seen).Round(time.Second))
		if m.Alone || s.Alone {
			return fmt.Errorf("%w: %s works on this ledger, and blobs in a folder are for one server alone. Put them into a bucket (s3:), or stop that one; if it is dead, wait %s", ErrDiffers, who, Alive)
		}
		if names := m.different(s, true); len(names) > 0 {
			return fmt.Errorf("%w: %s has another %s. Copy keys/ and config.yaml from its data directory; if it is dead, wait %s", ErrDiffers, who, strings.Join(names, ", another "), Alive)
		}
	}
	return nil
}

// different names the facts in which another server differs. One that does not
// know a fact, because it is of another version, does not differ.
func (m *Member) different(s store.Server, must bool) []string {
	var names []string
	for _, f := range m.Facts {
		if of, known := s.Facts[f.Name]; known && of != f.of && f.Must == must {
			names = append(names, f.Name)
		}
	}
	return names
}

// take takes note of who is there.
func (m *Member) take(roll store.Roll) {
	m.roll.Store(&roll)
	live := living(roll)
	m.others.Store(int64(len(live)))
	names := map[string]bool{}
	for _, s := range live {
		for _, name := range append(m.different(s, false), m.different(s, true)...) {
			names[name] = true
		}
	}
	m.differs.Store(int64(len(names)))
	if told := strings.Join(slices.Sorted(maps.Keys(names)), ", "); told != m.told {
		if m.told = told; told != "" {
			m.Log.Warn("servers on this ledger are configured differently: which rules hold depends on who is asked; give all of them the same config.yaml", "differs", told)
		} else {
			m.Log.Info("the servers on this ledger are configured alike")
		}
	}
	if last := roll.Others; len(live) == 0 && len(last) > 0 && m.others.Load() == 0 {
		if names := m.different(last[0], true); len(names) > 0 {
			m.Log.Error("the server that ran here before had other secrets; handsets may not believe this one", "differs", strings.Join(names, ", "), "seen", last[0].Seen)
		}
	}
	if roll.Outdated != m.old.Swap(roll.Outdated) && roll.Outdated {
		m.Log.Error("a newer server has brought the ledger to where this one cannot work on it; replace this one")
	}
}

// measure compares the clocks.
func (m *Member) measure(ctx context.Context) error {
	begun := m.Now()
	theirs, err := m.Roll.Clock(ctx)
	took := m.Now().Sub(begun)
	if err != nil {
		return err
	}
	if took > farther {
		return nil
	}
	skew := begun.Add(took / 2).Sub(theirs)
	was := time.Duration(m.skew.Swap(int64(skew)))
	if skew.Abs() > Warn && was.Abs() <= Warn {
		m.Log.Warn("this server's clock differs from the ledger's; servers whose clock is off by more than the slack take no part in publishing", "by", skew.Round(time.Millisecond), "slack", Slack)
	}
	return nil
}

// Run keeps the server on the roll until ctx ends.
func (m *Member) Run(ctx context.Context) {
	tick := time.NewTicker(Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := m.Look(ctx); err != nil && ctx.Err() == nil {
			m.Log.Warn("other servers are not known for now", "error", err)
		}
	}
}

// Look measures the clock and reads the roll once.
func (m *Member) Look(ctx context.Context) error {
	ctx, done := context.WithTimeout(ctx, Every)
	defer done()
	if err := m.measure(ctx); err != nil {
		return err
	}
	roll, err := m.Roll.Announce(ctx, m.self)
	if err == nil {
		m.take(roll)
	}
	return err
}

// Self gives this server as it is on the roll.
func (m *Member) Self() store.Server { return m.self }

// Other is another server that lives.
type Other struct {
	store.Server
	Differs []string // in these facts from this one
}

// Others gives the servers that live beside this one, as of the last look.
func (m *Member) Others() []Other {
	roll := m.roll.Load()
	if roll == nil {
		return nil
	}
	var out []Other
	for _, s := range living(*roll) {
		out = append(out, Other{s, append(m.different(s, true), m.different(s, false)...)})
	}
	return out
}

// Stats are for figures.
type Stats struct {
	Others  int           // servers that live, without this one
	Differs int           // facts in which they differ from this one
	Skew    time.Duration // by which this clock is ahead of the ledger's
}

// Stats gives what is known.
func (m *Member) Stats() Stats {
	return Stats{Others: int(m.others.Load()), Differs: int(m.differs.Load()), Skew: time.Duration(m.skew.Load())}
}

// Trouble says why this server should not be asked to change anything, empty if
// it may.
func (m *Member) Trouble() string {
	if skew := time.Duration(m.skew.Load()); skew.Abs() > Slack {
		return fmt.Sprintf("this server's clock is %s off the ledger's; set it (NTP)", skew.Round(time.Millisecond))
	}
	if m.old.Load() {
		return "a newer server has brought the ledger to where this one cannot work on it; replace this one"
	}
	return ""
}

// Ledger is l, without leases while there is Trouble.
func (m *Member) Ledger(l store.Ledger) store.Ledger { return sober{l, m} }

type sober struct {
	store.Ledger
	m *Member
}

// ErrTrouble is why a lease was not asked for.
var ErrTrouble = errors.New("this server takes no leases")

// Acquire refuses while there is trouble.
func (s sober) Acquire(ctx context.Context, r store.LeaseRequest) (store.Lease, error) {
	if why := s.m.Trouble(); why != "" {
		return store.Lease{}, fmt.Errorf("%w: %s", ErrTrouble, why)
	}
	return s.Ledger.Acquire(ctx, r)
}
