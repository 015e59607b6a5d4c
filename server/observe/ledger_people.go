package observe

import (
	"context"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

// AddToken is measured.
func (m *Ledger) AddToken(ctx context.Context, t store.Token, e store.Entry) (err error) {
	ctx, op := m.operations["AddToken"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.AddToken(ctx, t, e)
}

// TokenByHash is measured.
func (m *Ledger) TokenByHash(ctx context.Context, hash manifests.SHA256) (out store.Token, err error) {
	ctx, op := m.operations["TokenByHash"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.TokenByHash(ctx, hash)
}

// Token is measured.
func (m *Ledger) Token(ctx context.Context, id string) (out store.Token, err error) {
	ctx, op := m.operations["Token"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.Token(ctx, id)
}

// Tokens is measured.
func (m *Ledger) Tokens(ctx context.Context) (out []store.Token, err error) {
	ctx, op := m.operations["Tokens"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.Tokens(ctx)
}

// RevokeToken is measured.
func (m *Ledger) RevokeToken(ctx context.Context, id string, e store.Entry) (err error) {
	ctx, op := m.operations["RevokeToken"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.RevokeToken(ctx, id, e)
}

// AddLogin is measured.
func (m *Ledger) AddLogin(ctx context.Context, l store.Login, max int, now time.Time) (err error) {
	ctx, op := m.operations["AddLogin"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.AddLogin(ctx, l, max, now)
}

// TakeLogin is measured.
func (m *Ledger) TakeLogin(ctx context.Context, hash manifests.SHA256) (out store.Login, err error) {
	ctx, op := m.operations["TakeLogin"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.TakeLogin(ctx, hash)
}

// AddSession is measured.
func (m *Ledger) AddSession(ctx context.Context, s store.Session, e store.Entry) (err error) {
	ctx, op := m.operations["AddSession"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.AddSession(ctx, s, e)
}

// SessionByHash is measured.
func (m *Ledger) SessionByHash(ctx context.Context, hash manifests.SHA256) (out store.Session, err error) {
	ctx, op := m.operations["SessionByHash"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.SessionByHash(ctx, hash)
}

// SessionList is measured.
func (m *Ledger) SessionList(ctx context.Context, q store.SessionQuery) (out []store.Session, err error) {
	ctx, op := m.operations["SessionList"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.SessionList(ctx, q)
}

// TouchSession is measured.
func (m *Ledger) TouchSession(ctx context.Context, id string, seen time.Time) (err error) {
	ctx, op := m.operations["TouchSession"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.TouchSession(ctx, id, seen)
}

// EndSessions is measured.
func (m *Ledger) EndSessions(ctx context.Context, q store.SessionQuery, e store.Entry) (out int, err error) {
	ctx, op := m.operations["EndSessions"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.EndSessions(ctx, q, e)
}

// AddUpload is measured.
func (m *Ledger) AddUpload(ctx context.Context, u store.Upload) (err error) {
	ctx, op := m.operations["AddUpload"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.AddUpload(ctx, u)
}

// Upload is measured.
func (m *Ledger) Upload(ctx context.Context, id string) (out store.Upload, err error) {
	ctx, op := m.operations["Upload"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.Upload(ctx, id)
}

// Uploads is measured.
func (m *Ledger) Uploads(ctx context.Context) (out []store.Upload, err error) {
	ctx, op := m.operations["Uploads"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.Uploads(ctx)
}

// AdvanceUpload is measured.
func (m *Ledger) AdvanceUpload(ctx context.Context, id string, from, to int64, at time.Time) (err error) {
	ctx, op := m.operations["AdvanceUpload"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.AdvanceUpload(ctx, id, from, to, at)
}

// DeleteUpload is measured.
func (m *Ledger) DeleteUpload(ctx context.Context, id string) (err error) {
	ctx, op := m.operations["DeleteUpload"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.DeleteUpload(ctx, id)
}

// AddBatch is measured.
func (m *Ledger) AddBatch(ctx context.Context, b store.Batch, e store.Entry) (err error) {
	ctx, op := m.operations["AddBatch"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.AddBatch(ctx, b, e)
}

// Batch is measured.
func (m *Ledger) Batch(ctx context.Context, name manifests.Name) (out store.Batch, err error) {
	ctx, op := m.operations["Batch"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.Batch(ctx, name)
}

// Batches is measured.
func (m *Ledger) Batches(ctx context.Context) (out []store.Batch, err error) {
	ctx, op := m.operations["Batches"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.Batches(ctx)
}

// RevokeBatch is measured.
func (m *Ledger) RevokeBatch(ctx context.Context, name manifests.Name, e store.Entry) (err error) {
	ctx, op := m.operations["RevokeBatch"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.RevokeBatch(ctx, name, e)
}

// Enrol is measured.
func (m *Ledger) Enrol(ctx context.Context, n store.Enrolment, dailyCap int) (err error) {
	ctx, op := m.operations["Enrol"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.Enrol(ctx, n, dailyCap)
}

// Enrolment is measured.
func (m *Ledger) Enrolment(ctx context.Context, key vote.DeviceKey) (out store.Enrolment, err error) {
	ctx, op := m.operations["Enrolment"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.Enrolment(ctx, key)
}

// Withdraw is measured.
func (m *Ledger) Withdraw(ctx context.Context, key vote.DeviceKey) (err error) {
	ctx, op := m.operations["Withdraw"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.Withdraw(ctx, key)
}

// OpenVotes is measured.
func (m *Ledger) OpenVotes(ctx context.Context, v store.VoteRelease) (err error) {
	ctx, op := m.operations["OpenVotes"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.OpenVotes(ctx, v)
}

// VoteRelease is measured.
func (m *Ledger) VoteRelease(ctx context.Context, ref vote.Ref) (out store.VoteRelease, err error) {
	ctx, op := m.operations["VoteRelease"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.VoteRelease(ctx, ref)
}

// VoteReleases is measured.
func (m *Ledger) VoteReleases(ctx context.Context) (out []store.VoteRelease, err error) {
	ctx, op := m.operations["VoteReleases"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.VoteReleases(ctx)
}

// SwitchVotes is measured.
func (m *Ledger) SwitchVotes(ctx context.Context, ref vote.Ref, set vote.Set, e store.Entry) (err error) {
	ctx, op := m.operations["SwitchVotes"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.SwitchVotes(ctx, ref, set, e)
}

// CloseVotes is measured.
func (m *Ledger) CloseVotes(ctx context.Context, ref vote.Ref, e store.Entry) (err error) {
	ctx, op := m.operations["CloseVotes"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.CloseVotes(ctx, ref, e)
}

// RecordIssue is measured.
func (m *Ledger) RecordIssue(ctx context.Context, i store.Issue) (err error) {
	ctx, op := m.operations["RecordIssue"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.RecordIssue(ctx, i)
}

// CastVote is measured.
func (m *Ledger) CastVote(ctx context.Context, b store.Ballot) (err error) {
	ctx, op := m.operations["CastVote"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.CastVote(ctx, b)
}

// Tally is measured.
func (m *Ledger) Tally(ctx context.Context, ref vote.Ref, set vote.Set) (out store.Tally, err error) {
	ctx, op := m.operations["Tally"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.Tally(ctx, ref, set)
}

// Shown is measured.
func (m *Ledger) Shown(ctx context.Context, ref vote.Ref) (out store.Shown, err error) {
	ctx, op := m.operations["Shown"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.Shown(ctx, ref)
}

// Show is measured.
func (m *Ledger) Show(ctx context.Context, s store.Shown) (out store.Shown, err error) {
	ctx, op := m.operations["Show"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.Show(ctx, s)
}

// AddLabReport is measured.
func (m *Ledger) AddLabReport(ctx context.Context, r store.LabReport) (err error) {
	ctx, op := m.operations["AddLabReport"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.AddLabReport(ctx, r)
}

// LabReports is measured.
func (m *Ledger) LabReports(ctx context.Context, ref vote.Ref) (out []store.LabReport, err error) {
	ctx, op := m.operations["LabReports"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.LabReports(ctx, ref)
}

// MuteLab is measured.
func (m *Ledger) MuteLab(ctx context.Context, key vote.DeviceKey, muted bool, e store.Entry) (err error) {
	ctx, op := m.operations["MuteLab"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.MuteLab(ctx, key, muted, e)
}
