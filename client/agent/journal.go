package agent

import (
	"github.com/candor-ota/candor/client/install"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
)

// State is where an update stands.
type State string

// The states.
const (
	Idle          State = "idle"
	Checking      State = "checking"
	Offered       State = "offered"
	Planning      State = "planning"
	Downloading   State = "downloading"
	Verifying     State = "verifying"
	Staged        State = "staged"
	Arming        State = "arming"
	RebootPending State = "reboot-pending"
	Trying        State = "trying"
	Committing    State = "committing"
	Reporting     State = "reporting"
	Paused        State = "paused"
	Failed        State = "failed"
	RolledBack    State = "rolled-back"
)

// progress is how far one image has come; progresses, each of a release.
type (
	progress   = install.Progress
	progresses map[manifests.Name]progress
	plans      map[manifests.Name]planned
)

// downloaded is how many bytes of images were fetched.
func (p progresses) downloaded() (bytes int64) {
	for _, image := range p {
		bytes += image.Downloaded
	}
	return bytes
}

// record is the journal of the running update. It is written before the effect
// of the state that it names.
type record struct {
	State     State            `json:"state"`
	Build     manifests.Build  `json:"build,omitempty"`
	Release   manifests.SHA256 `json:"release,omitzero"`  // hash of the signed document
	From      manifests.Build  `json:"from,omitempty"`    // the build that ran when it began
	Slot      string           `json:"slot,omitempty"`    // the target
	Bundle    bool             `json:"bundle,omitempty"`  // its owner chose it from a bundle
	Epoch     uint32           `json:"epoch,omitempty"`   // security epoch of the target
	Written   int              `json:"written,omitempty"` // images of the release, from the first on, that are on the medium
	Progress  progresses       `json:"progress,omitempty"`
	Plans     plans            `json:"plans,omitempty"`
	Planned   int64            `json:"planned,omitempty"` // bytes that the plans cost
	Agreed    int64            `json:"agreed,omitempty"`  // bytes that the owner was told, or agreed to since
	Asked     int64            `json:"asked,omitempty"`   // bytes that the owner is asked about
	Tries     int              `json:"tries,omitempty"`   // attempts at this build, this one included
	Began     *manifests.Time  `json:"began,omitempty"`
	Staged    *manifests.Time  `json:"staged,omitempty"`    // since when the slot is ready
	CastAt    int64            `json:"castAt,omitempty"`    // uptime in seconds at which the attempt was cast, so that a dead clock ends the wait too
	Restarted bool             `json:"restarted,omitempty"` // the restart into the target was asked for
	Reason    string           `json:"reason,omitempty"`    // a vote reason, of what failed
	Pause     *rollout.Hold    `json:"pause,omitempty"`
	Told      told             `json:"told,omitzero"` // for the owner's receipt
}

func (r *record) setProgress(image manifests.Name, p progress) {
	if r.Progress == nil {
		r.Progress = progresses{}
	}
	r.Progress[image] = p
}
