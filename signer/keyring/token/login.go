//go:build pkcs11 && cgo

package token

import (
	"context"
	"errors"
	"fmt"

	"github.com/candor-ota/candor/signer/keyring"
	"github.com/miekg/pkcs11"
)

// login opens the token for its user, unless it is open. The PIN is tried once.
func (h *held) login(ctx context.Context) error {
	flags := h.slot.token.Flags
	info, err := h.module.ctx.GetSessionInfo(h.session)
	if err != nil {
		return explain("look at the session", err)
	}
	if flags&pkcs11.CKF_LOGIN_REQUIRED == 0 || info.State == pkcs11.CKS_RO_USER_FUNCTIONS {
		return nil
	}
	pin, err := h.pin(ctx)
	if err != nil {
		return err
	}
	err = h.module.ctx.Login(h.session, pkcs11.CKU_USER, pin)
	if errors.Is(err, pkcs11.Error(pkcs11.CKR_USER_ALREADY_LOGGED_IN)) {
		return nil
	}
	return h.refusedPIN(err)
}

// pin asks for the PIN. A token with a keypad of its own gets none.
func (h *held) pin(ctx context.Context) (string, error) {
	flags, label := h.slot.token.Flags, h.slot.token.Label
	switch {
	case flags&pkcs11.CKF_PROTECTED_AUTHENTICATION_PATH != 0:
		return "", nil
	case flags&pkcs11.CKF_USER_PIN_LOCKED != 0:
		return "", fmt.Errorf("%w: token %s has locked itself after wrong PINs; its security officer can unlock it", keyring.ErrPIN, label)
	case flags&(pkcs11.CKF_USER_PIN_COUNT_LOW|pkcs11.CKF_USER_PIN_FINAL_TRY) != 0 && h.ask.Tries() == 1:
		return "", fmt.Errorf("%w lately, and locks itself after a few wrong ones; nothing was tried: type the PIN of token %s on a terminal, without --passphrase-file or --passphrase-fd", keyring.ErrPIN, label)
	}
	of := "token " + label
	if flags&pkcs11.CKF_USER_PIN_FINAL_TRY != 0 {
		of += " (the last try before it locks itself)"
	}
	return h.ask.Ask(ctx, keyring.Question{What: "PIN", Of: of})
}

// refusedPIN names what a token says to a PIN.
func (h *held) refusedPIN(err error) error {
	for _, code := range []pkcs11.Error{pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE, pkcs11.CKR_PIN_EXPIRED} {
		if errors.Is(err, code) {
			return fmt.Errorf("%w (token %s: %w); it was tried once, and is not tried again", keyring.ErrPIN, h.slot.token.Label, err)
		}
	}
	if errors.Is(err, pkcs11.Error(pkcs11.CKR_PIN_LOCKED)) {
		return fmt.Errorf("%w: token %s has locked itself after wrong PINs; its security officer can unlock it", keyring.ErrPIN, h.slot.token.Label)
	}
	if err != nil {
		return explain("log in", err)
	}
	return nil
}
