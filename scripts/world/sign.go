package world

import "context"

// Sign has people sign a proposal, by the names of their keys, and submits it.
func (w *World) Sign(ctx context.Context, proposal string, keys ...string) error {
	return w.signAndSubmit(ctx, proposal, keys...)
}
