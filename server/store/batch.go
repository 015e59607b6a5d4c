package store

import (
	"context"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
)

// Batch is a series of handsets whose factory credentials one CA signed.
type Batch struct {
	Name     manifests.Name
	CA       string // PEM
	Lab      bool   // lab handsets: they report by name instead of voting
	DailyCap int    // enrolments per day
	Created  time.Time
	Revoked  time.Time // zero: not revoked
}

// Batches keeps the batches.
type Batches interface {
	// AddBatch is ErrExists if the name is taken.
	AddBatch(ctx context.Context, b Batch, e Entry) error
	// Batch is ErrNotFound if there is none.
	Batch(ctx context.Context, name manifests.Name) (Batch, error)
	// Batches gives all, by name.
	Batches(ctx context.Context) ([]Batch, error)
	// RevokeBatch at e.At; again changes nothing. ErrNotFound if there is none.
	RevokeBatch(ctx context.Context, name manifests.Name, e Entry) error
}

// Day counts days of UTC since 1970.
type Day int64

// DayOf gives the day of a moment.
func DayOf(t time.Time) Day { return Day(t.Unix() / int64(24*time.Hour/time.Second)) }

// End is the first moment after the day.
func (d Day) End() time.Time { return time.Unix(int64(d+1)*int64(24*time.Hour/time.Second), 0).UTC() }

// Enrolment is all that is kept of a handset that opted in.
type Enrolment struct {
	DeviceKey vote.DeviceKey
	Batch     manifests.Name
	Day       Day
}

// Enrolments keeps the handsets that opted in, for as long as they want.
type Enrolments interface {
	// Enrol is nil and counts nothing if the key is enrolled in this batch
	// already, ErrConflict if in another, ErrFull if the batch's cap for that
	// day is used up. A withdrawal does not give its place back.
	Enrol(ctx context.Context, n Enrolment, dailyCap int) error
	// Enrolment is ErrNotFound if the key is not enrolled.
	Enrolment(ctx context.Context, key vote.DeviceKey) (Enrolment, error)
	// Withdraw deletes an enrolment, overwriting it; one that is not there is
	// fine.
	Withdraw(ctx context.Context, key vote.DeviceKey) error
}
