package ceremony

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/candor-ota/candor/manifests/event"
	"github.com/candor-ota/candor/signer/keyring"
)

// ErrSigned means that a key which has signed cannot reject any more.
var ErrSigned = errors.New("has signed already, and a signature cannot be taken back; have the others reject, or let the proposal expire")

// Reject adds the word of a key that it will not sign, with the reason. Signing
// later takes it back. Again with the same key changes nothing.
func (p *Proposal) Reject(ctx context.Context, key keyring.Signer, reason string, now time.Time) error {
	public := key.Public()
	if err := p.CanReject(public); err != nil {
		return err
	}
	if err := event.CheckReason(reason); err != nil {
		return err
	}
	if p.rejectedBy(public.KeyID) {
		return nil
	}
	parts, err := p.Parts()
	if err != nil {
		return err
	}
	r := Rejection{At: seconds(now).Format(time.RFC3339), KeyID: public.KeyID, Holder: public.Holder, Reason: reason, Parts: parts}
	said, err := r.Bytes()
	if err != nil {
		return err
	}
	sig, err := key.Sign(ctx, said)
	if err != nil {
		return err
	}
	r.Sig = hex.EncodeToString(sig)
	p.Rejections = append(p.Rejections, r)
	return p.CheckWords(p.view.ballots())
}

// CanReject says why a key, known by its public part, may not reject, or nil.
func (p *Proposal) CanReject(key keyring.Public) error {
	roles := p.rolesFor(key.KeyID)
	if len(roles) == 0 {
		return fmt.Errorf("key %s of %s: %w; it needs %s", key.Name, key.Holder, ErrWrongKey, p.wanted())
	}
	for _, i := range roles {
		if p.signedBy(i, key.KeyID) {
			return fmt.Errorf("key %s %w", key.Name, ErrSigned)
		}
	}
	return nil
}

func (p *Proposal) rejectedBy(keyID string) bool {
	for _, r := range p.Rejections {
		if r.KeyID == keyID {
			return true
		}
	}
	return false
}
