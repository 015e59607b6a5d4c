package receipts

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/strict"
)

// Kind is what an entry tells of.
type Kind string

// The kinds. The list only grows; those that a newer version of this program
// added are read too.
const (
	Started     Kind = "started"      // an offer was taken up
	Installed   Kind = "installed"    // the build runs and proved itself
	RolledBack  Kind = "rolled-back"  // it did not, and the old one runs again
	FellBack    Kind = "fell-back"    // a build that had proved itself no longer boots
	Failed      Kind = "failed"       // the slot did not read back as signed
	CalledOff   Kind = "called-off"   // halted, withdrawn or replaced before the restart
	LabelChange Kind = "label-change" // the running build now collects something else
	Accepted    Kind = "accepted"     // the owner's word on a notice
	Declined    Kind = "declined"
	Wish        Kind = "wish"        // now, later, retry
	ReportsOn   Kind = "reports-on"  // the owner let outcomes be reported
	ReportsOff  Kind = "reports-off" // and took it back: keys, tokens and waiting votes are destroyed
	Enrolment   Kind = "enrolment"   // the service is told of a device key
	TokenAsked  Kind = "token-asked" // a request that says that this handset exists
	VoteSent    Kind = "vote-sent"   // Sent holds it to the letter
	Withdrawal  Kind = "withdrawal"  // the service deleted the enrolment
	LabOn       Kind = "lab-on"      // the owner put the handset in lab mode
	LabOff      Kind = "lab-off"     // and took it out: the lab id is destroyed
	NamedSent   Kind = "named-sent"  // a report by name; Sent holds it to the letter
	Warning     Kind = "warning"     // about the maker and the way to him
	Anchor      Kind = "anchor"      // stands for entries that are gone
	PowerCut    Kind = "power-cut"   // an unfinished line was taken away
)

// wellFormed tells whether it can be a kind: 1 to 32 of a-z and '-'.
func (k Kind) wellFormed() bool {
	return k != "" && len(k) <= 32 && strings.Trim(string(k), "abcdefghijklmnopqrstuvwxyz-") == ""
}

// Asker is who made something happen now.
type Asker string

// The askers.
const (
	ByRollout Asker = "rollout" // the maker's service, within what the engineers signed
	ByOwner   Asker = "owner"
)

// Entry is one line. The log sets Seq, Prev and Hash, and Time where it is nil
// and a clock is set.
type Entry struct {
	Seq  uint64          `json:"seq"`
	Time *manifests.Time `json:"time,omitempty"` // absent: the handset did not know
	Kind Kind            `json:"kind"`

	Build    manifests.Build  `json:"build,omitempty"`
	From     manifests.Build  `json:"from,omitempty"`     // the build that ran before
	Release  manifests.SHA256 `json:"release,omitzero"`   // of the signed document
	SignedBy []string         `json:"signedBy,omitempty"` // key ids of the engineers' role whose signatures hold
	Label    *Change          `json:"label,omitempty"`
	Consent  *Consent         `json:"consent,omitempty"`

	Why     string         `json:"why,omitempty"`
	AskedBy Asker          `json:"askedBy,omitempty"`
	Rollout manifests.Name `json:"rollout,omitempty"`
	Planned int64          `json:"planned,omitempty"` // bytes, before it began
	Spent   int64          `json:"spent,omitempty"`   // bytes, when it ended

	Sent    string   `json:"sent,omitempty"` // the request's JSON; of a vote without nonce and MAC
	Dropped *Dropped `json:"dropped,omitempty"`

	Prev manifests.SHA256 `json:"prev"`
	Hash manifests.SHA256 `json:"hash,omitzero"`

	kept strict.Kept // what a newer version of this program said beside it
}

// Change is a privacy label before and after, one line of words for each kind
// of data. Empty means that nothing is collected.
type Change struct {
	From []string `json:"from,omitempty"`
	To   []string `json:"to,omitempty"`
}

// Consent is what the owner was asked, as the hash of the notice in all its
// languages (canonical JSON), and what he said.
type Consent struct {
	Notice manifests.SHA256 `json:"notice,omitzero"` // zero: none was shown here yet
	Choice string           `json:"choice"`
}

// Dropped describes the entries for which an anchor stands.
type Dropped struct {
	Through uint64           `json:"through"`           // number of the last of them
	Hash    manifests.SHA256 `json:"hash"`              // of that entry
	Damaged bool             `json:"damaged,omitempty"` // set aside, because they do not hold
}

// Bounds of a log and of what an entry says.
const (
	MaxEntries = 10_000
	MaxBytes   = 8 << 20

	maxEntryBytes = 64 << 10
	maxText       = 1000 // bytes of a sentence
	maxLines      = 64   // of a label
	maxSigners    = 32
)

const domain = "candor-receipt-v1\n"

// line gives the entry as it stands in the log, with its hash set.
func (e *Entry) line() ([]byte, error) {
	sum, err := e.sum()
	if err != nil {
		return nil, err
	}
	e.Hash = sum
	data, err := e.canonical()
	if err == nil && len(data) >= maxEntryBytes {
		err = fmt.Errorf("%d bytes; at most %d fit", len(data), maxEntryBytes-1)
	}
	if err != nil {
		return nil, fmt.Errorf("receipt %d: %w", e.Seq, err)
	}
	return append(data, '\n'), nil
}

func (e *Entry) canonical() ([]byte, error) { return e.kept.Canonical(e) }

// sum is the hash that the entry must carry.
func (e *Entry) sum() (manifests.SHA256, error) {
	bare := *e
	bare.Hash = manifests.SHA256{}
	data, err := bare.canonical()
	if err != nil {
		return manifests.SHA256{}, fmt.Errorf("receipt %d: %w", e.Seq, err)
	}
	return sha256.Sum256(append([]byte(domain), data...)), nil
}

// substance is what an entry says, apart from when and where in the log.
func (e *Entry) substance() (manifests.SHA256, error) {
	bare := *e
	bare.Seq, bare.Time, bare.Prev = 0, nil, manifests.SHA256{}
	return bare.sum()
}
