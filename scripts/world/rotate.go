package world

import (
	"context"
	"os"
)

// RotateOnline replaces the server's online keys while it runs: new ones are
// made beside, and two root holders sign the root that names them.
func (w *World) RotateOnline(ctx context.Context) error {
	if _, err := w.Exec(ctx, "server", "keys", "new", "--data", w.Path("data")); err != nil {
		return err
	}
	public, err := w.Exec(ctx, "server", "keys", "export", "--data", w.Path("data"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(w.Path("new-online.json"), public, 0o644); err != nil {
		return err
	}
	if _, err := w.Exec(ctx, "signer", "root", "rotate-online", "--online", "new-online.json", "--server", w.Server); err != nil {
		return err
	}
	if err := w.signAndSubmit(ctx, "rotate-online.proposal.json", "alice", "bob"); err != nil {
		return err
	}
	return w.Settle(ctx)
}
