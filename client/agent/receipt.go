package agent

import (
	"maps"
	"slices"
	"strings"

	"github.com/candor-ota/candor/client/receipts"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
)

// Receipts is the owner's log; *receipts.Log is one. An entry is durable when
// either method returns nil; AppendOnce knows repeats, which a power cut makes.
type Receipts interface {
	Append(e receipts.Entry) error
	AppendOnce(e receipts.Entry) error
}

// told is what the receipt of an update says and only its offer knew. It
// outlives the restart in the journal.
type told struct {
	Noted    bool              `json:"noted,omitempty"` // that it was taken up
	SignedBy []string          `json:"signedBy,omitempty"`
	Why      string            `json:"why,omitempty"`
	AskedBy  receipts.Asker    `json:"askedBy,omitempty"`
	Rollout  manifests.Name    `json:"rollout,omitempty"`
	Consent  *receipts.Consent `json:"consent,omitempty"`
}

// notice is the word that an owner is asked to give on a release.
type notice struct {
	Release manifests.SHA256 `json:"release"`
	Hash    manifests.SHA256 `json:"hash,omitzero"`
}

// note adds to the receipt what a power cut may make happen twice.
func (a *Agent) note(e receipts.Entry) {
	if a.Receipts == nil {
		return
	}
	a.unnoted(a.Receipts.AppendOnce(e))
}

// noteOwner adds what the owner did, each time.
func (a *Agent) noteOwner(e receipts.Entry) {
	if a.Receipts == nil {
		return
	}
	a.unnoted(a.Receipts.Append(e))
}

// unnoted ends the matter: a receipt is no obstacle to an update.
func (a *Agent) unnoted(err error) {
	if err != nil {
		a.Log.Warn("the owner's receipt waits", "reason", err)
	}
}

// noteStart remembers why the update came, and notes it once. The journal that
// follows keeps it.
func (a *Agent) noteStart() {
	if a.rec.Told.Noted {
		return
	}
	h, err := a.handset()
	if err != nil {
		a.unnoted(err)
		return
	}
	m := a.offer.Release
	t := told{Noted: true, SignedBy: a.view.SignedBy, Why: a.offer.Why, AskedBy: receipts.ByRollout}
	if r := a.offer.Rollout; r != nil {
		t.Rollout = r.ID
		if r.Reason != "" {
			t.Why += " The maker says: " + r.Reason
		}
	}
	if a.rec.Bundle || a.mem.Wish.GetItNow || a.mem.Wish.Retry == m.Build {
		t.AskedBy = receipts.ByOwner
	}
	if answer := h.Consent[m.Build]; answer != rollout.Unasked {
		hash, err := receipts.NoticeHash(m.Consent.Notice)
		a.unnoted(err)
		t.Consent = &receipts.Consent{Notice: hash, Choice: string(answer)}
	}
	a.rec.Told = t
	e := a.receipt(receipts.Started)
	e.Why, e.Label = t.Why, receipts.CompareLabels(h.Label, m.Privacy)
	a.note(e)
}

// receipt gives what every entry about the running update says.
func (a *Agent) receipt(kind receipts.Kind) receipts.Entry {
	t := a.rec.Told
	return receipts.Entry{
		Kind: kind, Build: a.rec.Build, From: a.rec.From, Release: a.rec.Release, SignedBy: t.SignedBy,
		Consent: t.Consent, AskedBy: t.AskedBy, Rollout: t.Rollout, Planned: a.rec.Planned, Spent: a.rec.Progress.downloaded(),
	}
}

// noteEnd notes what became of the update, and what is collected from now on.
func (a *Agent) noteEnd(kind receipts.Kind, why string) {
	e := a.receipt(kind)
	e.Why = why
	a.note(e)
	if kind == receipts.Installed {
		a.noteLabel(a.rec.Build, a.rec.From)
	}
}

// noteLabel compares what the running build collects with what the one before
// did, as long as the other slot still says.
func (a *Agent) noteLabel(running, before manifests.Build) {
	slots, err := a.Slots.Slots()
	if err != nil {
		a.unnoted(err)
		return
	}
	labels := map[manifests.Build]manifests.PrivacyLabel{}
	for _, slot := range slots {
		m, err := a.Slots.Metadata(slot)
		if err != nil {
			a.unnoted(err)
			return
		}
		labels[m.Build] = m.Label
	}
	from, known := labels[before]
	to, runs := labels[running]
	if change := receipts.CompareLabels(from, to); known && runs && change != nil {
		a.note(receipts.Entry{Kind: receipts.LabelChange, Build: running, From: before, Label: change})
	}
}

// keepNotices remembers which notices the signed releases show, so that an
// answer can be noted with what was answered.
func (a *Agent) keepNotices() {
	a.mem.Notices = map[string]notice{}
	for build, s := range a.view.Releases {
		hash, err := receipts.NoticeHash(s.Release.Consent.Notice)
		a.unnoted(err)
		a.mem.Notices[build.String()] = notice{Release: s.Reference.SHA256, Hash: hash}
	}
}

func (a *Agent) noteAnswer(build manifests.Build, answer rollout.Answer) {
	kind, n := receipts.Accepted, a.mem.Notices[build.String()]
	if answer == rollout.Declined {
		kind = receipts.Declined
	}
	a.noteOwner(receipts.Entry{Kind: kind, Build: build, Release: n.Release, Consent: &receipts.Consent{Notice: n.Hash, Choice: string(answer)}})
}

// noteWish notes what the owner asked for beyond waiting.
func (a *Agent) noteWish(what string, also map[string]bool) {
	words := []string{what}
	for _, condition := range slices.Sorted(maps.Keys(also)) {
		if also[condition] {
			words = append(words, condition)
		}
	}
	a.noteOwner(receipts.Entry{Kind: receipts.Wish, Why: strings.Join(words, ", ") + "."})
}
