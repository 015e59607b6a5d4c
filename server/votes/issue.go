package votes

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"

	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

// Issue evaluates a blinded element: once per credential, release, class and
// set. The same element again gets the same evaluation.
func (s *Service) Issue(ctx context.Context, r *vote.IssueRequest) (vote.IssueResponse, error) {
	key, release, err := s.key(ctx, keyName{r.Ref(), r.Class, r.Set})
	if err != nil {
		return vote.IssueResponse{}, err
	}
	issue, err := s.entitled(ctx, r, release)
	if err != nil {
		return vote.IssueResponse{}, err
	}
	// Evaluated before it is recorded, so that a bad element uses nothing up.
	answer, err := key.Evaluate(r.Blinded)
	if errors.Is(err, vote.ErrElement) {
		return vote.IssueResponse{}, refuse(api.CodeBadElement, err.Error())
	}
	if err != nil {
		return vote.IssueResponse{}, err
	}
	err = answers(s.Ledger.RecordIssue(ctx, issue),
		refuse(api.CodeAlreadyIssued, "this handset has its token of this class for this release; send the element that it sent then"))
	if err != nil {
		return vote.IssueResponse{}, err
	}
	return answer, nil
}

// entitled checks both keys of a request and gives what is to be recorded.
func (s *Service) entitled(ctx context.Context, r *vote.IssueRequest, release store.VoteRelease) (store.Issue, error) {
	enrolment, err := s.enrolled(ctx, r.DeviceKey, r.SignedByDevice)
	if err != nil {
		return store.Issue{}, err
	}
	cred, err := parseCredential(r.Credential)
	if err != nil {
		return store.Issue{}, refuse(api.CodeBadCredential, "factory credential: "+err.Error())
	}
	if cred.batch != enrolment.Batch {
		return store.Issue{}, refuse(api.CodeBadCredential, "the device key was enrolled with a credential of another batch")
	}
	var credentialKey ed25519.PublicKey
	batch, err := s.proven(ctx, cred, func(key ed25519.PublicKey) bool {
		credentialKey = key
		return r.SignedBy(key)
	})
	if err != nil {
		return store.Issue{}, err
	}
	if batch.Lab {
		return store.Issue{}, refuse(api.CodeForbidden, "a lab handset reports by name and gets no tokens")
	}
	if err := s.oldEnough(ctx, r.Ref(), enrolment); err != nil {
		return store.Issue{}, err
	}
	element := sha256.Sum256(r.Blinded[:])
	return store.Issue{
		Ref: r.Ref(), Set: r.Set, Class: r.Class, Batch: batch.Name,
		Tag: tag(release, credentialKey), Element: [16]byte(element[:16]),
	}, nil
}

// oldEnough keeps keys that were enrolled for the occasion out of a first
// stage. Only the day of enrolment is known, so age counts from its end.
func (s *Service) oldEnough(ctx context.Context, ref vote.Ref, n store.Enrolment) error {
	if s.MinKeyAge <= 0 || !s.Now().Before(n.Day.End().Add(s.MinKeyAge)) {
		return nil
	}
	first, err := s.FirstStage(ctx, ref)
	if err != nil {
		return err
	}
	if first {
		return refuse(api.CodeTooYoung, "the device key is too young for the first stage of a rollout; ask again in a later one")
	}
	return nil
}

// Cast counts a vote. It is durable when Cast returns nil; the same request
// again is nil too, and counts nothing.
func (s *Service) Cast(ctx context.Context, r *vote.CastRequest) error {
	key, err := s.castKey(ctx, keyName{r.Ref(), r.Class, r.Set})
	if err != nil {
		return err
	}
	if !key.Accepts(r) {
		return refuse(api.CodeBadToken, "the mac does not fit the vote")
	}
	cell, err := r.Vote.Cell(r.Class)
	if err != nil {
		return refuse(api.CodeBadRequest, err.Error())
	}
	b := store.Ballot{
		Ref: r.Ref(), Set: r.Set, Class: r.Class, Cell: cell,
		Nullifier: key.Nullifier(r.Nonce), Check: [8]byte(r.MAC[:8]), Hour: store.HourOf(s.Now()),
	}
	return answers(s.Ledger.CastVote(ctx, b),
		refuse(api.CodeAlreadyVoted, "this token was spent on another vote"))
}

// ReportLab records what a lab handset says by name.
func (s *Service) ReportLab(ctx context.Context, r *vote.LabReport) error {
	enrolment, err := s.enrolled(ctx, r.DeviceKey, r.Signed)
	if err != nil {
		return err
	}
	batch, err := s.Ledger.Batch(ctx, enrolment.Batch)
	switch {
	case err != nil:
		return err
	case !batch.Revoked.IsZero():
		return refuse(api.CodeBatchRevoked, "the batch was revoked")
	case !batch.Lab:
		return refuse(api.CodeForbidden, "only lab handsets report by name; redeem a token instead")
	}
	cell, err := r.Vote.Cell(r.Class)
	if err != nil {
		return refuse(api.CodeBadRequest, err.Error())
	}
	return answers(s.Ledger.AddLabReport(ctx, store.LabReport{
		Ref: r.Ref(), Class: r.Class, DeviceKey: r.DeviceKey, Batch: batch.Name, Cell: cell, At: s.Now(),
	}), refuse(api.CodeAlreadyVoted, "this handset reported otherwise on this release"))
}
