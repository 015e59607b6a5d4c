package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/candor-ota/candor/manifests"
)

// Code says why a handset waits. The list is closed and only grows.
type Code string

// The codes.
const (
	UpToDate     Code = "up-to-date"
	NoPolicy     Code = "no-policy"     // no valid rollouts document
	WrongModel   Code = "wrong-model"   // audience or release is for others
	NotScheduled Code = "scheduled"     // begins later
	HeldCode     Code = "held"          // paused by the operators
	HaltedCode   Code = "halted"        // stopped for good
	Withdrawn    Code = "withdrawn"     // the engineers no longer sign it
	TooOld       Code = "too-old"       // needs a stepping stone first
	BelowFloor   Code = "epoch"         // below the security floor
	Expired      Code = "expired"       // offerUntil has passed
	Pace         Code = "pace"          // the signed pace does not reach this handset yet
	NotInShare   Code = "not-in-share"  // the rollout does not reach this handset yet
	BadTarget    Code = "bad-target"    // failed here before
	NeedsConsent Code = "needs-consent" // the owner has not answered the notice
	DeclinedCode Code = "declined"      // the owner said no
	Postponed    Code = "postponed"     // the owner said later
	AskFirst     Code = "ask-first"     // optional, waits to be chosen
	Battery      Code = "battery"
	Metered      Code = "metered"
	StorageCode  Code = "storage"
	BeforeWindow Code = "before-window"
	OnlineOnly   Code = "online-only" // the engineers did not sign it for bundles
)

// Hold is the answer "not now", with a reason for programs and for people.
type Hold struct {
	Code     Code            `json:"code"`
	Sentence string          `json:"sentence"`
	Build    manifests.Build `json:"build,omitempty"` // what is waited for
}

// Offer is the answer "yes", with the demands on the owner already clamped to
// what the engineers signed.
type Offer struct {
	Rollout  *Rollout // nil: it comes from a bundle
	Release  *manifests.Release
	Kind     manifests.Kind
	Deadline time.Time     // zero: none
	Deferral time.Duration // the owner may put the restart off this long
	Window   *Window
	Why      string
}

// Decision is an Offer or a Hold; exactly one is set.
type Decision struct {
	Offer *Offer
	Hold  *Hold
}

// Signed is a release that the engineers' role signs, with the reference under
// which it does.
type Signed struct {
	Reference Reference
	Release   *manifests.Release
}

// Input is all that a decision reads.
type Input struct {
	Document *Document // nil when there is no valid one
	// Releases are those that releases-PRODUCT signs in the same verified
	// snapshot, by build. A rollout of a build that is missing here was
	// withdrawn.
	Releases map[manifests.Build]Signed
	Handset  *Handset
	Times    Times

	position func(manifests.Build) manifests.SharePPM
}

// Decide tells whether the handset installs now, and if not, why. Newer
// rollouts come first: the first one that makes an offer wins. Without an
// offer, the first rollout that is for this handset gives the reason.
func Decide(in Input) Decision { return in.decide(in.positionOf) }

// DecideAt is Decide for a handset that stands at a known position, whatever
// its secret: for previews.
func DecideAt(in Input, position manifests.SharePPM) Decision {
	return in.decide(func(manifests.Build) manifests.SharePPM { return position })
}

func (in *Input) positionOf(b manifests.Build) manifests.SharePPM {
	return Position(in.Handset.Secret, in.Handset.Product, b)
}

func (in Input) decide(position func(manifests.Build) manifests.SharePPM) Decision {
	in.position = position
	if in.Document == nil || in.Document.Product != in.Handset.Product {
		return hold(NoPolicy, 0, "There is no valid rollout policy for %s, so nothing installs.", in.Handset.Product)
	}
	var reason, foreign *Hold
	for i := range in.Document.Rollouts {
		d := in.decideOne(&in.Document.Rollouts[i])
		switch {
		case d.Offer != nil:
			return d
		case d.Hold.Code == UpToDate:
		case d.Hold.Code == WrongModel:
			foreign = first(foreign, d.Hold)
		default:
			reason = first(reason, d.Hold)
		}
	}
	if reason = first(reason, foreign); reason != nil {
		return Decision{Hold: reason}
	}
	return hold(UpToDate, in.Handset.Build, "Build %d is the newest that is offered.", in.Handset.Build)
}

func first(a, b *Hold) *Hold {
	if a != nil {
		return a
	}
	return b
}

func hold(code Code, build manifests.Build, format string, args ...any) Decision {
	return Decision{Hold: &Hold{Code: code, Build: build, Sentence: fmt.Sprintf(format, args...)}}
}

func (in *Input) decideOne(r *Rollout) Decision {
	h := in.Handset
	if r.Build <= h.Build {
		return hold(UpToDate, h.Build, "Build %d runs; %d is not above it.", h.Build, r.Build)
	}
	if d := r.checkAudience(h); d.Hold != nil {
		return d
	}
	signed, ok := in.Releases[r.Build]
	if !ok || signed.Reference != r.Release || signed.Release.Product != h.Product || signed.Release.Build != r.Build {
		return hold(Withdrawn, r.Build, "Build %d is offered, but the engineers do not sign it (or sign it with other bytes).", r.Build)
	}
	release := signed.Release
	for _, check := range []func(*Rollout, *manifests.Release) Decision{
		in.checkFit, in.checkState, in.checkShare, in.checkOwner, in.checkConditions,
	} {
		if d := check(r, release); d.Hold != nil {
			return d
		}
	}
	return Decision{Offer: in.offer(r, release)}
}

func (r *Rollout) checkAudience(h *Handset) Decision {
	a := r.Audience
	others := hold(WrongModel, r.Build, "The rollout of build %d is for other handsets.", r.Build)
	switch {
	case len(a.Lab) > 0 && (h.Lab == nil || !slices.Contains(a.Lab, LabHash(*h.Lab))):
		return others
	case len(a.Lab) == 0 && r.Channel != h.Channel:
		return others
	case len(a.Models) > 0 && !slices.Contains(a.Models, h.Model):
		return others
	case len(a.Regions) > 0 && !slices.Contains(a.Regions, h.Region):
		return others
	case a.FromBuilds != nil && (h.Build < a.FromBuilds.Min || h.Build > a.FromBuilds.Max):
		return others
	}
	return Decision{}
}

// checkFit holds against what the engineers signed.
func (in *Input) checkFit(_ *Rollout, m *manifests.Release) Decision {
	h := in.Handset
	switch {
	case !slices.Contains(m.Compatible.Models, h.Model):
		return hold(WrongModel, m.Build, "Build %d is not made for model %s.", m.Build, h.Model)
	case h.Build < m.Compatible.MinBuild:
		return hold(TooOld, m.Build, "Build %d installs over build %d or later; this is %d.", m.Build, m.Compatible.MinBuild, h.Build)
	case m.SecurityEpoch < h.Floor:
		return hold(BelowFloor, m.Build, "Build %d has security epoch %d; this handset has run %d and never goes below.", m.Build, m.SecurityEpoch, h.Floor)
	case m.Rollback != nil && !slices.Contains(m.Rollback.From, h.Build):
		return hold(WrongModel, m.Build, "Build %d takes back other builds than %d.", m.Build, h.Build)
	case in.Times.Expiry.After(m.OfferUntil.Time):
		return hold(Expired, m.Build, "Build %d was to be offered until %s.", m.Build, m.OfferUntil)
	}
	return Decision{}
}

func (in *Input) checkState(r *Rollout, _ *manifests.Release) Decision {
	switch {
	case r.State.Installable():
		return Decision{}
	case r.State == Scheduled:
		return hold(NotScheduled, r.Build, "The rollout of build %d has not begun.", r.Build)
	case r.State == Held:
		return hold(HeldCode, r.Build, "The rollout of build %d is paused%s.", r.Build, because(r.Reason))
	default:
		return hold(HaltedCode, r.Build, "The rollout of build %d is %s%s.", r.Build, r.State, because(r.Reason))
	}
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// checkShare applies pace and share. The pace is signed offline and binds
// lab handsets and impatient owners too, unless the release or the owner's
// second confirmation frees them.
func (in *Input) checkShare(r *Rollout, m *manifests.Release) Decision {
	h := in.Handset
	position := in.position(m.Build)
	lab := len(r.Audience.Lab) > 0
	paced := m.ShareAfter(in.Times.elapsed(h, m))
	free := h.Lab != nil && m.LabAhead || h.Wish.GetItNow && h.Wish.PastPace
	if position >= paced && !free {
		return hold(Pace, m.Build, "The engineers let build %d reach %s of the handsets by now; this one stands at %s of the order and comes later.", m.Build, paced, position)
	}
	if position >= r.Share && !lab && !h.Wish.GetItNow {
		return hold(NotInShare, m.Build, "Build %d is open to %s of the handsets; this one stands at %s of the order and comes later.", m.Build, r.Share, position)
	}
	return Decision{}
}

func (in *Input) checkOwner(r *Rollout, m *manifests.Release) Decision {
	if d := in.checkWord(m, r.Retry); d.Hold != nil {
		return d
	}
	h, offer := in.Handset, in.offer(r, m)
	switch {
	case offer.Kind == manifests.KindOptional && !h.Wish.GetItNow:
		return hold(AskFirst, m.Build, "Build %d is optional and waits to be chosen.", m.Build)
	case in.postponed(offer):
		return hold(Postponed, m.Build, "The owner put build %d off until %s.", m.Build, manifests.At(h.Wish.PostponedUntil))
	}
	return Decision{}
}

// checkWord holds what needs the owner's word, however the release got here: a
// build that failed, and a notice. retry lets it be tried once more.
func (in *Input) checkWord(m *manifests.Release, retry bool) Decision {
	h := in.Handset
	if failed := h.Failures[m.Build]; failed > 0 && h.RetryByHand != m.Build && (failed > 1 || !retry) {
		return hold(BadTarget, m.Build, "Build %d was tried here and did not work; it is not tried again by itself.", m.Build)
	}
	if m.Consent.Required || len(h.Label.Widening(m.Privacy)) > 0 {
		switch h.Consent[m.Build] {
		case Accepted:
		case Declined:
			return hold(DeclinedCode, m.Build, "The owner declined build %d.", m.Build)
		default:
			return hold(NeedsConsent, m.Build, "Build %d needs the owner's consent first.", m.Build)
		}
	}
	return Decision{}
}

// postponed tells whether "later" still holds: until the owner's own time, the
// longest deferral, or a critical deadline, whichever is first.
func (in *Input) postponed(o *Offer) bool {
	w := in.Handset.Wish
	until := w.PostponedUntil
	if limit := w.PostponedSince.Add(o.Deferral); until.After(limit) {
		until = limit
	}
	if !o.Deadline.IsZero() && until.After(o.Deadline) {
		until = o.Deadline
	}
	return in.Times.agreed().Before(until)
}

// offer clamps the rollout's demands to the release's: gentler, never harsher.
func (in *Input) offer(r *Rollout, m *manifests.Release) *Offer {
	o := &Offer{
		Rollout: r, Release: m, Kind: r.Kind, Window: r.Window, Deferral: max(r.Deferral.Duration, m.Urgency.MinDeferral.Duration),
		Why: fmt.Sprintf("Build %d (%s, %s) is open to this handset.", m.Build, m.Version, m.Risk),
	}
	if o.Kind.Rank() > m.Urgency.MaxKind.Rank() {
		o.Kind = m.Urgency.MaxKind
	}
	if o.Kind == manifests.KindCritical && m.Urgency.EarliestDeadline != nil {
		o.Deadline = m.Urgency.EarliestDeadline.Time
		if r.Deadline != nil && r.Deadline.After(o.Deadline) {
			o.Deadline = r.Deadline.Time
		}
	}
	return o
}

func (in *Input) checkConditions(_ *Rollout, m *manifests.Release) Decision {
	if h := CheckConditions(in.Handset, m); h != nil {
		return Decision{Hold: h}
	}
	return Decision{}
}

// CheckConditions holds the start, or the next step, of an installation on the
// state of the device. No kind of rollout overrides it.
func CheckConditions(h *Handset, m *manifests.Release) *Hold {
	c := h.Conditions
	var d Decision
	switch {
	case c.BatteryPercent < c.MinBattery && !c.Charging:
		d = hold(Battery, m.Build, "The battery is at %d %%; build %d needs %d %% or a charger.", c.BatteryPercent, m.Build, c.MinBattery)
	case c.Metered && !h.Wish.PayForData:
		d = hold(Metered, m.Build, "Build %d waits for a network that is not metered, or for the owner's word.", m.Build)
	case c.FreeBytes < c.NeedBytes:
		d = hold(StorageCode, m.Build, "Build %d needs %d bytes of free storage; there are %d.", m.Build, c.NeedBytes, c.FreeBytes)
	}
	return d.Hold
}

// CheckRestart holds the restart into a new build until the offer's window is
// open, unless its deadline has passed or the owner asked for it now.
func CheckRestart(h *Handset, o *Offer, t Times) *Hold {
	if o.Window == nil || h.Wish.GetItNow || h.Conditions.AllowAnyMinute || o.Window.Contains(h.Conditions.LocalMinute) {
		return nil
	}
	if !o.Deadline.IsZero() && !t.agreed().Before(o.Deadline) {
		return nil
	}
	return hold(BeforeWindow, o.Release.Build, "Build %d restarts the handset between %s and %s.", o.Release.Build, o.Window.From, o.Window.To).Hold
}
