package world

import (
	"context"

	"github.com/candor-ota/candor/manifests"
)

// Retire takes old releases of a product off its list, all that no handset
// needs, signed by two engineers.
func (w *World) Retire(ctx context.Context, product manifests.Product) error {
	if _, err := w.Exec(ctx, "signer", "retire", string(product), "--keep", "current,stepping-stones", "--server", w.Server); err != nil {
		return err
	}
	if err := w.signAndSubmit(ctx, string(product)+"-retire.proposal.json", "dora", "emil"); err != nil {
		return err
	}
	return w.Settle(ctx)
}
