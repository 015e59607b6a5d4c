package votes

import (
	"errors"

	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/server/store"
)

// Error is a refusal: a stable code of package api, and a sentence for people.
type Error struct {
	Code   string
	Detail string
}

func (e *Error) Error() string { return e.Code + ": " + e.Detail }

func refuse(code, detail string) error { return &Error{Code: code, Detail: detail} }

// answers turns the ledger's words into refusals; conflict is what ErrConflict
// means to the caller.
func answers(err error, conflict error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrConflict):
		return conflict
	case errors.Is(err, store.ErrNotFound):
		return refuse(api.CodeNotFound, "no votes are taken on such a release")
	case errors.Is(err, store.ErrClosed):
		return refuse(api.CodeVotingClosed, "the release counts no more votes")
	case errors.Is(err, store.ErrRetired):
		return refuse(api.CodeKeyRetired, "this key set is not in use; ask for a token of the other one")
	case errors.Is(err, store.ErrBusy):
		return refuse(api.CodeBusy, "too many votes at once; try again in a while")
	case errors.Is(err, store.ErrFull):
		return refuse(api.CodeBatchFull, "the batch has reached its enrolments for today; try again tomorrow")
	}
	return err
}
