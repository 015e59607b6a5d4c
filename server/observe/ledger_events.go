package observe

import (
	"context"

	"github.com/candor-ota/candor/server/store"
)

// AddEvent is measured.
func (m *Ledger) AddEvent(ctx context.Context, v store.Event, e store.Entry) (out store.Event, err error) {
	ctx, op := m.operations["AddEvent"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.AddEvent(ctx, v, e)
}

// Event is measured.
func (m *Ledger) Event(ctx context.Context, id string) (out store.Event, err error) {
	ctx, op := m.operations["Event"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.Event(ctx, id)
}

// Events is measured.
func (m *Ledger) Events(ctx context.Context, q store.EventQuery) (out []store.Event, err error) {
	ctx, op := m.operations["Events"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.Events(ctx, q)
}

// AddWords is measured.
func (m *Ledger) AddWords(ctx context.Context, id string, version int64, words []store.EventWord, e store.Entry) (added int, err error) {
	ctx, op := m.operations["AddWords"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.AddWords(ctx, id, version, words, e)
}

// AddRemark is measured.
func (m *Ledger) AddRemark(ctx context.Context, id string, r store.EventRemark, e store.Entry) (err error) {
	ctx, op := m.operations["AddRemark"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.AddRemark(ctx, id, r, e)
}

// MoveEvent is measured.
func (m *Ledger) MoveEvent(ctx context.Context, id string, version int64, to store.EventState, e store.Entry) (err error) {
	ctx, op := m.operations["MoveEvent"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.MoveEvent(ctx, id, version, to, e)
}
