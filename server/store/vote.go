package store

import (
	"context"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
)

// VoteRelease says how the votes of a release stand.
type VoteRelease struct {
	Ref    vote.Ref
	Secret [32]byte // k_r: makes tags of credentials; zero once closed
	Active vote.Set // the key set in use
	Opened time.Time
	Closed time.Time // zero: open
}

// VoteKeys keeps, per release, what its votes are counted under.
type VoteKeys interface {
	// OpenVotes starts the votes of a release with the primary set; Secret and
	// Opened count only the first time.
	OpenVotes(ctx context.Context, v VoteRelease) error
	// VoteRelease is ErrNotFound if they were never opened.
	VoteRelease(ctx context.Context, ref vote.Ref) (VoteRelease, error)
	// VoteReleases gives all, the newest first.
	VoteReleases(ctx context.Context) ([]VoteRelease, error)
	// SwitchVotes makes set the one in use. Votes under the other are kept but
	// count no more. ErrClosed if they are closed.
	SwitchVotes(ctx context.Context, ref vote.Ref, set vote.Set, e Entry) error
	// CloseVotes destroys the secret, the nullifiers, the issue records and
	// the hours of a release, overwriting them; cells remain. Again is fine.
	CloseVotes(ctx context.Context, ref vote.Ref, e Entry) error
}

// Tag stands for a credential within one release.
type Tag [16]byte

// Issue records that a token was given out: to whom only as a tag, with no time.
type Issue struct {
	Ref     vote.Ref
	Set     vote.Set
	Class   vote.Class
	Batch   manifests.Name // counted, not stored with the tag
	Tag     Tag
	Element [16]byte // hash of the blinded element
}

// Ballot is one vote to be counted. Check, a part of its MAC, tells the same
// vote again from another vote under the same nonce.
type Ballot struct {
	Ref       vote.Ref
	Set       vote.Set
	Class     vote.Class
	Cell      vote.Cell
	Nullifier vote.Nullifier
	Check     [8]byte
	Hour      Hour // kept for attempts only, as a count per hour
}

// Hour counts hours since 1970.
type Hour int64

// HourOf gives the hour of a moment.
func HourOf(t time.Time) Hour { return Hour(t.Unix() / int64(time.Hour/time.Second)) }

// Tally is everything counted for one key set of a release.
type Tally struct {
	Cells    map[vote.Class]map[vote.Cell]int64
	Attempts map[Hour]int64                          // attempts by hour; empty once closed
	Issued   map[vote.Class]map[manifests.Name]int64 // tokens by batch
}

// Ballots counts. RecordIssue and CastVote are written in groups, so many
// callers at once are cheap; both are durable before they return.
type Ballots interface {
	// RecordIssue is nil if this very issue is recorded already, ErrConflict
	// if the tag drew another element of this class and set. ErrNotFound,
	// ErrClosed and ErrRetired speak of the release; ErrBusy asks to wait.
	RecordIssue(ctx context.Context, i Issue) error
	// CastVote stores the nullifier and counts the cell in one transaction. It
	// is nil and counts nothing if this very vote was counted already,
	// ErrConflict if the nonce was spent on another; other errors as above.
	CastVote(ctx context.Context, b Ballot) error
	// Tally reads the counts of a set.
	Tally(ctx context.Context, ref vote.Ref, set vote.Set) (Tally, error)
}

// LabReport is what a lab handset said, by name.
type LabReport struct {
	Ref       vote.Ref
	Class     vote.Class
	DeviceKey vote.DeviceKey
	Batch     manifests.Name
	Cell      vote.Cell
	At        time.Time
	Muted     bool // set by the ledger: the operator does not listen to it
}

// Labs keeps the reports of lab handsets.
type Labs interface {
	// AddLabReport is nil if the handset said the same already, ErrConflict if
	// it said something else in this class.
	AddLabReport(ctx context.Context, r LabReport) error
	// LabReports gives those about a release, the oldest first.
	LabReports(ctx context.Context, ref vote.Ref) ([]LabReport, error)
	// MuteLab makes the operator deaf to a handset, or not. Again is fine.
	MuteLab(ctx context.Context, key vote.DeviceKey, muted bool, e Entry) error
}
