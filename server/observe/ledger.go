package observe

import (
	"context"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/audit"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

// ledgerOperations are the methods that are measured: all but Close.
var ledgerOperations = []string{
	"AddProduct", "Product", "Products", "AddRelease", "Release", "Releases", "MoveRelease", "AddRollout", "Rollout", "Rollouts",
	"UpdateRollout", "Append", "Entries", "Walk", "AuditHead", "AuditBetween", "VerifyAudit", "Acquire", "Lease", "Yield", "ReserveVersion",
	"ReservedVersions", "Head", "SetHead", "OpenHook", "Hooks", "SaveHook", "BeginChange", "FinishChange", "DropChange", "Ping",
	"AddToken", "TokenByHash", "Token", "Tokens", "RevokeToken", "AddLogin", "TakeLogin", "AddSession", "SessionByHash", "SessionList",
	"TouchSession", "EndSessions", "AddUpload", "Upload", "Uploads", "AdvanceUpload", "DeleteUpload", "AddBatch", "Batch",
	"Batches", "RevokeBatch", "Enrol", "Enrolment", "Withdraw", "OpenVotes", "VoteRelease", "VoteReleases", "SwitchVotes",
	"CloseVotes", "RecordIssue", "CastVote", "Tally", "Shown", "Show", "ShownSince", "AddLabReport", "LabReports", "MuteLab",
	"RolloutPage", "RolloutsBelow", "RolloutCounts", "NewestReleases", "ReleaseBelow",
	"AddEvent", "Event", "Events", "AddWords", "AddRemark", "MoveEvent",
}

// Ledger is a store.Ledger whose operations are measured, and traced below a
// span. What another interface of the ledger offers is for whoever has the
// ledger itself.
type Ledger struct {
	store.Ledger
	operations map[string]*operation
}

// Ledger wraps a ledger.
func (o *Observer) Ledger(l store.Ledger) *Ledger {
	return &Ledger{Ledger: l, operations: o.all(l, ledgerOperations)}
}

// AddProduct is measured.
func (m *Ledger) AddProduct(ctx context.Context, p store.Product, e store.Entry) (err error) {
	ctx, op := m.operations["AddProduct"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.AddProduct(ctx, p, e)
}

// Product is measured.
func (m *Ledger) Product(ctx context.Context, name manifests.Product) (out store.Product, err error) {
	ctx, op := m.operations["Product"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.Product(ctx, name)
}

// Products is measured.
func (m *Ledger) Products(ctx context.Context) (out []store.Product, err error) {
	ctx, op := m.operations["Products"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.Products(ctx)
}

// AddRelease is measured.
func (m *Ledger) AddRelease(ctx context.Context, r store.Release, e store.Entry) (err error) {
	ctx, op := m.operations["AddRelease"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.AddRelease(ctx, r, e)
}

// Release is measured.
func (m *Ledger) Release(ctx context.Context, ref vote.Ref) (out store.Release, err error) {
	ctx, op := m.operations["Release"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.Release(ctx, ref)
}

// Releases is measured.
func (m *Ledger) Releases(ctx context.Context, product manifests.Product) (out []store.Release, err error) {
	ctx, op := m.operations["Releases"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.Releases(ctx, product)
}

// MoveRelease is measured.
func (m *Ledger) MoveRelease(ctx context.Context, ref vote.Ref, from, to store.ReleaseState, e store.Entry) (err error) {
	ctx, op := m.operations["MoveRelease"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.MoveRelease(ctx, ref, from, to, e)
}

// AddRollout is measured.
func (m *Ledger) AddRollout(ctx context.Context, r store.Rollout, e store.Entry) (out store.Rollout, err error) {
	ctx, op := m.operations["AddRollout"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.AddRollout(ctx, r, e)
}

// Rollout is measured.
func (m *Ledger) Rollout(ctx context.Context, id string) (out store.Rollout, err error) {
	ctx, op := m.operations["Rollout"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.Rollout(ctx, id)
}

// Rollouts is measured.
func (m *Ledger) Rollouts(ctx context.Context, product manifests.Product) (out []store.Rollout, err error) {
	ctx, op := m.operations["Rollouts"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.Rollouts(ctx, product)
}

// UpdateRollout is measured.
func (m *Ledger) UpdateRollout(ctx context.Context, r store.Rollout, e store.Entry) (out store.Rollout, err error) {
	ctx, op := m.operations["UpdateRollout"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.UpdateRollout(ctx, r, e)
}

// Append is measured.
func (m *Ledger) Append(ctx context.Context, e store.Entry) (out store.Entry, err error) {
	ctx, op := m.operations["Append"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.Append(ctx, e)
}

// Entries is measured.
func (m *Ledger) Entries(ctx context.Context, q store.EntryQuery) (out []store.Entry, err error) {
	ctx, op := m.operations["Entries"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.Entries(ctx, q)
}

// Walk measures the log, not what f does with it: an error of f is f's.
func (m *Ledger) Walk(ctx context.Context, after int64, f func(store.Entry) error) (err error) {
	ctx, op := m.operations["Walk"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.Walk(ctx, after, func(e store.Entry) error {
		if err := f(e); err != nil {
			return foreign{err}
		}
		return nil
	})
}

// AuditHead is measured.
func (m *Ledger) AuditHead(ctx context.Context) (out audit.Head, err error) {
	ctx, op := m.operations["AuditHead"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.AuditHead(ctx)
}

// AuditBetween is measured.
func (m *Ledger) AuditBetween(ctx context.Context, since, until time.Time) (first, last int64, err error) {
	ctx, op := m.operations["AuditBetween"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.AuditBetween(ctx, since, until)
}

// VerifyAudit is measured.
func (m *Ledger) VerifyAudit(ctx context.Context) (err error) {
	ctx, op := m.operations["VerifyAudit"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.VerifyAudit(ctx)
}

// Acquire is measured.
func (m *Ledger) Acquire(ctx context.Context, r store.LeaseRequest) (out store.Lease, err error) {
	ctx, op := m.operations["Acquire"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.Acquire(ctx, r)
}

// Lease is measured.
func (m *Ledger) Lease(ctx context.Context, name string) (out store.Lease, err error) {
	ctx, op := m.operations["Lease"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.Lease(ctx, name)
}

// Yield is measured.
func (m *Ledger) Yield(ctx context.Context, l store.Lease) (err error) {
	ctx, op := m.operations["Yield"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.Yield(ctx, l)
}

// ReserveVersion is measured.
func (m *Ledger) ReserveVersion(ctx context.Context, l store.Lease, role string, least int64) (out int64, err error) {
	ctx, op := m.operations["ReserveVersion"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.ReserveVersion(ctx, l, role, least)
}

// ReservedVersions is measured.
func (m *Ledger) ReservedVersions(ctx context.Context) (out map[string]int64, err error) {
	ctx, op := m.operations["ReservedVersions"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.ReservedVersions(ctx)
}

// Head is measured.
func (m *Ledger) Head(ctx context.Context, name string) (out store.Head, err error) {
	ctx, op := m.operations["Head"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.Head(ctx, name)
}

// SetHead is measured.
func (m *Ledger) SetHead(ctx context.Context, l store.Lease, old int64, h store.Head) (err error) {
	ctx, op := m.operations["SetHead"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.SetHead(ctx, l, old, h)
}

// OpenHook is measured.
func (m *Ledger) OpenHook(ctx context.Context, name string) (out store.Hook, err error) {
	ctx, op := m.operations["OpenHook"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.OpenHook(ctx, name)
}

// Hooks is measured.
func (m *Ledger) Hooks(ctx context.Context) (out []store.Hook, err error) {
	ctx, op := m.operations["Hooks"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.Hooks(ctx)
}

// SaveHook is measured.
func (m *Ledger) SaveHook(ctx context.Context, l store.Lease, h store.Hook, e store.Entry) (err error) {
	ctx, op := m.operations["SaveHook"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.SaveHook(ctx, l, h, e)
}

// BeginChange is measured.
func (m *Ledger) BeginChange(ctx context.Context, c store.KeyedChange) (was store.Answer, claimed bool, err error) {
	ctx, op := m.operations["BeginChange"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.BeginChange(ctx, c)
}

// FinishChange is measured.
func (m *Ledger) FinishChange(ctx context.Context, c store.KeyedChange, a store.Answer) (err error) {
	ctx, op := m.operations["FinishChange"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.FinishChange(ctx, c, a)
}

// DropChange is measured.
func (m *Ledger) DropChange(ctx context.Context, c store.KeyedChange) (err error) {
	ctx, op := m.operations["DropChange"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.DropChange(ctx, c)
}

// Ping is measured.
func (m *Ledger) Ping(ctx context.Context) (err error) {
	ctx, op := m.operations["Ping"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.Ping(ctx)
}
