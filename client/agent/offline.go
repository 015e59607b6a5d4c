package agent

import (
	"context"
	"fmt"

	"github.com/candor-ota/candor/client/receipts"
	"github.com/candor-ota/candor/client/trust"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
)

// Offline is an update that lies in a bundle which the owner chose.
type Offline struct {
	Build manifests.Build
	// View proves what the bundle holds, anew at each call.
	View  func(ctx context.Context) (*trust.View, error)
	Blobs Blobs
}

// Preview says what the owner would get.
type Preview struct {
	Release  *manifests.Release // nil: the engineers do not sign the build
	Running  manifests.Build
	Label    manifests.PrivacyLabel // of the running build
	Decision rollout.Decision
}

// Look verifies a bundle and says what would be installed, or why not. It
// changes no slot.
func (a *Agent) Look(ctx context.Context, o Offline) (Preview, error) {
	if err := a.onItsWay(o.Build); err != nil {
		return Preview{}, err
	}
	view := a.view
	a.bundle = &o
	defer func() { a.bundle, a.view = nil, view }()
	if err := a.pollBundle(ctx); err != nil {
		return Preview{}, err
	}
	in, err := a.input()
	if err != nil {
		return Preview{}, err
	}
	h := in.Handset
	return Preview{Release: a.view.Releases[o.Build].Release, Running: h.Build, Label: h.Label, Decision: a.judge(in)}, a.saveMemory()
}

// StepOffline is Step with a bundle in the place of the network. What each
// state does is the same; where a poll would be made, the bundle is verified
// again. Another update that is past its commit point is not disturbed.
func (a *Agent) StepOffline(ctx context.Context, o Offline) (Status, error) {
	if err := a.onItsWay(o.Build); err != nil {
		return a.Status(), err
	}
	if a.rec.Build != o.Build && (a.rec.State == Staged || a.rec.State == Arming) {
		if _, err := a.callOff(&rollout.Hold{Code: rollout.Withdrawn, Build: a.rec.Build, Sentence: fmt.Sprintf("The owner chose build %d from a bundle instead.", o.Build)}); err != nil {
			return a.Status(), err
		}
	}
	blobs := a.Blobs
	a.bundle, a.Blobs = &o, o.Blobs
	defer func() { a.bundle, a.Blobs = nil, blobs }()
	return a.Step(ctx)
}

// onItsWay refuses a build from a bundle while another is past its commit point.
func (a *Agent) onItsWay(build manifests.Build) error {
	switch a.rec.State {
	case RebootPending, Trying, Committing, Reporting, RolledBack:
		if a.rec.Build != build {
			return fmt.Errorf("build %d is on its way (%s); let it finish first", a.rec.Build, a.rec.State)
		}
	}
	return nil
}

// pollBundle takes the bundle's view. What is remembered of the network's view
// stays as it is.
func (a *Agent) pollBundle(ctx context.Context) error {
	view, err := a.bundle.View(ctx)
	if err != nil {
		return err
	}
	a.view = view
	if signed, ok := view.Releases[a.bundle.Build]; ok { // so that an answer is noted with what was answered
		hash, err := receipts.NoticeHash(signed.Release.Consent.Notice)
		a.unnoted(err)
		put(&a.mem.Notices, a.bundle.Build, notice{Release: signed.Reference.SHA256, Hash: hash})
	}
	return nil
}

// stillChosen looks after an update that came from a bundle and is armed, when
// the bundle is no longer at hand. The owner's word stands, whatever share and
// pace say; a halt or a withdrawal that the network or the memory tells of ends
// it. Without a network that is all there is to ask.
func (a *Agent) stillChosen(ctx context.Context) (off *rollout.Hold) {
	build := a.rec.Build
	if err := a.poll(ctx); err != nil {
		a.Log.Warn("nobody says whether the build is halted; the owner's word stands", "build", build, "reason", err)
	}
	if _, halted := a.mem.halted()[build]; halted {
		return &rollout.Hold{Code: rollout.HaltedCode, Build: build, Sentence: fmt.Sprintf("Build %d is halted.", build)}
	}
	if a.view == nil || a.view.Document == nil {
		return nil
	}
	for _, r := range a.view.Document.Rollouts {
		if _, signed := a.view.Releases[build]; r.Build == build && !signed {
			return &rollout.Hold{Code: rollout.Withdrawn, Build: build, Sentence: fmt.Sprintf("The engineers no longer sign build %d.", build)}
		}
	}
	return nil
}
