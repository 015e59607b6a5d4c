package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/fetch"
	"github.com/candor-ota/candor/client/install"
	"github.com/candor-ota/candor/client/trust"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/strict"
	"github.com/candor-ota/candor/manifests/vote"
)

// Trust proves what is published; *trust.Client is one.
type Trust interface {
	Poll(ctx context.Context) (*trust.View, error)
}

// Reporter keeps and sends the owner's reports; *outbox.Outbox is one. With
// reporting off it does nothing and makes no request.
type Reporter interface {
	Enabled() bool
	// Prepare asks for the tokens of a release, at a random moment within.
	Prepare(ctx context.Context, ref vote.Ref, rules manifests.VoteRules, within time.Duration) error
	// UseSpare has votes on a release cast under its spare keys from now on, by
	// the engineers' signed word. Repeating it changes nothing.
	UseSpare(ref vote.Ref, rules manifests.VoteRules, within time.Duration) error
	// Report queues a vote, durably, to be sent at a random moment within.
	Report(ref vote.Ref, class vote.Class, v vote.Vote, within time.Duration) error
	// Send sends what is due.
	Send(ctx context.Context) error
	// Acknowledged tells whether a queued vote was counted, or never will be.
	Acknowledged(ref vote.Ref, class vote.Class) bool
	// ByName has trials and regressions reported by name from now on, and
	// nothing as a vote; or ends that. Repeating it changes nothing.
	ByName(on bool) error
}

// Blobs gives parts of published blobs; *fetch.Client is one.
type Blobs interface {
	OpenRange(ctx context.Context, r fetch.Range) (io.ReadCloser, error)
}

// Storage is where slots keep images and what is known about them.
type Storage interface {
	boot.Driver
	Metadata(slot boot.Slot) (boot.Metadata, error)
	SetMetadata(slot boot.Slot, m boot.Metadata) error
	// Fits tells whether a slot that holds exactly these images would be whole.
	// It refuses with an error that wraps boot.ErrMisfit, before anything is
	// written.
	Fits(slot boot.Slot, images []boot.Image) error
	// OpenForWrite opens one image of an unbootable slot, of at least size bytes.
	OpenForWrite(slot boot.Slot, image manifests.Name, size int64) (disk.File, error)
	// Image is the path of the file or partition of one image of a slot.
	Image(slot boot.Slot, image manifests.Name) string
}

// Agent is one handset. Not for concurrent use.
type Agent struct {
	Config  *Config
	Trust   Trust
	Blobs   Blobs
	Slots   Storage
	Device  Device
	Reports Reporter
	Log     *slog.Logger
	Disk    disk.Disk // of the agent's own files and of reading slots back; nil: this machine's
	// Segment is how many bytes of an image are written between two syncs, each
	// of which is journalled; 0: 16 MiB.
	Segment int64
	// Receipts is the owner's log. What it cannot take is logged and stops
	// nothing; nil: nothing is noted.
	Receipts Receipts
	// Interrupt ends a step early when something can be read from it, where that
	// loses nothing: while it looks for news, plans, downloads or reads back. The step
	// then ends with ErrInterrupted. nil: never.
	Interrupt <-chan struct{}
	// Observe is told of each change of state, and of progress, in the midst of a
	// step. It must not call the agent, nor wait. May be nil.
	Observe func(Status)
	// Random gives a number below n, from 0 on; nil: a random one.
	Random func(n int64) int64

	secret  rollout.Secret
	mem     memory
	kept    strict.Kept   // of the memory of a newer version of this program
	before  Status        // as the last step left it
	polled  time.Duration // uptime of the last look for news
	rec     record
	journal *disk.Journal
	view    *trust.View
	offer   *rollout.Offer
	plans   map[manifests.Name]*install.Plan // of this step
	bundle  *Offline                         // in a step that goes by a bundle
	now     time.Time                        // of this step
	restart bool
	proved  bool // the slot was read back in this step
}

// Start loads what the agent knew, and reconciles it with the slot that the
// boot loader has chosen.
func (a *Agent) Start() error {
	if a.Disk == nil {
		a.Disk = disk.OS{}
	}
	if err := a.Disk.MkdirAll(a.shelf().Dir); err != nil {
		return fmt.Errorf("agent state: %w", err)
	}
	var err error
	if a.secret, err = loadSecret(a.Disk, filepath.Join(a.Config.State, secretFile)); err != nil {
		return err
	}
	if err := a.loadMemory(); err != nil {
		return err
	}
	if err := a.loadJournal(); err != nil {
		return err
	}
	// Memory has the last word on lab mode, as off is where a damaged one leads.
	if err := a.Reports.ByName(a.labID() != nil); err != nil {
		a.Log.Warn("reports do not follow lab mode yet", "reason", err)
	}
	a.now = a.clock()
	if err := a.noteReboot(); err != nil {
		return err
	}
	if err := a.reconcile(); err != nil {
		return err
	}
	switch a.rec.State {
	case Trying, Committing, RolledBack: // a build that was booted must prove itself now, whatever failed before
		a.endWait()
	}
	return nil
}

func (a *Agent) clock() time.Time {
	now, _ := a.Device.Now()
	return now
}

// handler does the work of one state and names the next one. A state that
// names itself waits: the step ends.
type handler func(*Agent, context.Context) (State, error)

var handlers = map[State]handler{
	Idle:          (*Agent).idle,
	Checking:      (*Agent).checking,
	Offered:       (*Agent).offered,
	Planning:      (*Agent).planning,
	Downloading:   (*Agent).downloading,
	Verifying:     (*Agent).verifying,
	Staged:        (*Agent).staged,
	Arming:        (*Agent).arming,
	RebootPending: (*Agent).rebootPending,
	Trying:        (*Agent).trying,
	Committing:    (*Agent).committing,
	Reporting:     (*Agent).reporting,
	Paused:        (*Agent).paused,
	Failed:        (*Agent).failed,
	RolledBack:    (*Agent).rolledBack,
}

// ErrInterrupted says that a step was ended early on purpose; see Interrupt.
var ErrInterrupted = errors.New("interrupted, since the owner asked for something")

// Step polls once and goes as far as it can: until nothing is to be done, a
// condition holds it, or the handset must restart. An error ends the step; the
// state stays, and the next step carries on from it.
func (a *Agent) Step(ctx context.Context) (Status, error) {
	early, end := a.interruptible(ctx)
	defer end()
	a.now, a.restart, a.proved, a.view, a.before = a.clock(), false, false, nil, a.mem.Last
	if err := a.Reports.Send(ctx); err != nil {
		a.Log.Warn("reports wait", "reason", err)
	}
	state := a.rec.State
	switch state {
	case Idle, Offered, Planning, Downloading, Verifying:
		state = Checking // whoever is offered the same release again goes on from the journal
	}
	for {
		if state != a.mem.Last.State {
			a.shows(state)
		}
		next, err := a.turn(ctx, early, state)
		if err != nil {
			if errors.Is(context.Cause(early), ErrInterrupted) {
				err = ErrInterrupted
			}
			return a.settle(ctx, state, err)
		}
		if next == state || next == Idle || next == Paused {
			return a.settle(ctx, next, nil)
		}
		state = next
	}
}

// interruptible gives the context of what may end early, until end.
func (a *Agent) interruptible(ctx context.Context) (early context.Context, end func()) {
	early, cancel := context.WithCancelCause(ctx)
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		select {
		case <-a.Interrupt:
			cancel(ErrInterrupted)
		case <-early.Done():
		}
	}()
	return early, func() {
		cancel(nil)
		<-heard // what comes after the step is not for it
	}
}

// turn does the work of a state, after the hook that runs before it.
func (a *Agent) turn(ctx, early context.Context, state State) (State, error) {
	if kind, hooked := hookBefore[state]; hooked {
		held, err := a.askHook(ctx, kind)
		switch {
		case err != nil:
			return state, err
		case held != nil && state == Checking:
			a.hold(held)
			return Idle, nil
		case held != nil:
			return a.pause(held)
		}
	}
	switch state {
	case Checking, Planning, Downloading, Verifying:
		ctx = early
		if err := ctx.Err(); err != nil {
			return state, err
		}
	}
	return handlers[state](a, ctx)
}

// settle ends a step: what is due is sent, and the status is kept for people. A
// step that was stopped or interrupted has not failed.
func (a *Agent) settle(ctx context.Context, state State, failure error) (Status, error) {
	if err := a.Reports.Send(ctx); err != nil {
		a.Log.Warn("reports wait", "reason", err)
	}
	switch {
	case failure == nil && a.restart:
		a.endWait()
	case failure == nil:
		a.countSuccess()
	case ctx.Err() == nil && !errors.Is(failure, ErrInterrupted):
		a.countFailure(failure)
		a.say(FailureCode, a.mem.Last.Build, "%v", failure)
	}
	a.mem.Last.At = new(manifests.At(a.now))
	a.shows(state)
	return a.mem.Last, errors.Join(failure, a.saveMemory())
}

// RestartFailed is told that the restart which the last step wanted did not come
// about. It is a failure like others: counted, shown, and tried again, after
// waits that grow, with one more look for news before each try.
func (a *Agent) RestartFailed(reason error) (Status, error) {
	failure := fmt.Errorf("the handset does not restart for build %d: %w", a.rec.Build, reason)
	a.restart = false
	a.countFailure(failure)
	a.say(FailureCode, a.rec.Build, "%v", failure)
	a.shows(a.rec.State)
	return a.mem.Last, errors.Join(failure, a.saveMemory())
}

// RestartWanted tells whether the last step ended with the wish to restart
// into the new slot.
func (a *Agent) RestartWanted() bool { return a.restart }

// enter journals a state before its work is done.
func (a *Agent) enter(s State) (State, error) {
	a.rec.State = s
	return s, a.saveJournal()
}

// rest ends an update: the journal is empty again.
func (a *Agent) rest() (State, error) {
	a.rec = record{State: Idle}
	return Idle, a.saveJournal()
}

// pause holds an update on a condition. It is looked at again at the next step.
func (a *Agent) pause(h *rollout.Hold) (State, error) {
	a.hold(h)
	a.rec.Pause = h
	return a.enter(Paused)
}
