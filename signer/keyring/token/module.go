//go:build pkcs11 && cgo

package token

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/candor-ota/candor/signer/keyring"
	"github.com/miekg/pkcs11"
)

// module is a loaded library. It is one for the whole process, and may be
// initialised only once: its keys share it.
type module struct {
	path  string
	ctx   *pkcs11.Ctx
	users int
}

var (
	modulesMu sync.Mutex
	modules   = map[string]*module{}
)

// load gives the module at path. Its caller releases it.
func load(path string) (*module, error) {
	modulesMu.Lock()
	defer modulesMu.Unlock()
	if m := modules[path]; m != nil {
		m.users++
		return m, nil
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("%w: module: %w", keyring.ErrUnreachable, err)
	}
	ctx := pkcs11.New(path)
	if ctx == nil {
		return nil, fmt.Errorf("%w: %s cannot be loaded as a PKCS#11 module", keyring.ErrUnreachable, path)
	}
	if err := ctx.Initialize(); err != nil {
		ctx.Destroy()
		return nil, fmt.Errorf("%w: module %s does not start: %w", keyring.ErrUnreachable, path, err)
	}
	m := &module{path: path, ctx: ctx, users: 1}
	modules[path] = m
	return m, nil
}

func (m *module) release() error {
	modulesMu.Lock()
	defer modulesMu.Unlock()
	m.users--
	if m.users > 0 {
		return nil
	}
	delete(modules, m.path)
	err := m.ctx.Finalize()
	m.ctx.Destroy()
	if err != nil {
		return fmt.Errorf("module %s: %w", m.path, err)
	}
	return nil
}

// slot is where a token is plugged in.
type slot struct {
	id    uint
	token pkcs11.TokenInfo
}

func (s slot) String() string {
	return fmt.Sprintf("token=%s serial=%s manufacturer=%s model=%s", s.token.Label, s.token.SerialNumber, s.token.ManufacturerID, s.token.Model)
}

// find gives the only slot whose token u names.
func (m *module) find(u URI) (slot, error) {
	ids, err := m.ctx.GetSlotList(true)
	if err != nil {
		return slot{}, fmt.Errorf("%w: list tokens: %w", keyring.ErrUnreachable, err)
	}
	var all, fits []slot
	for _, id := range ids {
		info, err := m.ctx.GetTokenInfo(id)
		if err != nil {
			continue // pulled out since
		}
		s := slot{id, info}
		if info.Flags&pkcs11.CKF_TOKEN_INITIALIZED != 0 {
			all = append(all, s)
		}
		if u.names(info) {
			fits = append(fits, s)
		}
	}
	switch len(fits) {
	case 1:
		return fits[0], nil
	case 0:
		return slot{}, fmt.Errorf("%w: no such token is plugged in. There %s", keyring.ErrUnreachable, listing("is", all))
	default:
		return slot{}, fmt.Errorf("%w: several tokens do; add serial=… to the URI. There %s", keyring.ErrAmbiguous, listing("is", fits))
	}
}

func (u URI) names(t pkcs11.TokenInfo) bool {
	for _, pair := range [][2]string{{u.Token, t.Label}, {u.Serial, t.SerialNumber}, {u.Manufacturer, t.ManufacturerID}, {u.Model, t.Model}} {
		if pair[0] != "" && pair[0] != pair[1] {
			return false
		}
	}
	return true
}

func listing[T fmt.Stringer](verb string, things []T) string {
	if len(things) == 0 {
		return verb + " none"
	}
	text := verb + ":"
	for _, t := range things {
		text += "\n  " + t.String()
	}
	return text
}

// pulled are the answers of a module whose token went away.
var pulled = []pkcs11.Error{
	pkcs11.CKR_DEVICE_REMOVED, pkcs11.CKR_TOKEN_NOT_PRESENT, pkcs11.CKR_TOKEN_NOT_RECOGNIZED, pkcs11.CKR_SESSION_HANDLE_INVALID,
	pkcs11.CKR_SESSION_CLOSED, pkcs11.CKR_KEY_HANDLE_INVALID, pkcs11.CKR_OBJECT_HANDLE_INVALID, pkcs11.CKR_DEVICE_ERROR,
	pkcs11.CKR_SLOT_ID_INVALID, pkcs11.CKR_GENERAL_ERROR, pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED, pkcs11.CKR_USER_NOT_LOGGED_IN,
}

// explain names an error of a module by what it means to the person.
func explain(doing string, err error) error {
	for _, p := range pulled {
		if errors.Is(err, p) {
			return fmt.Errorf("%w: the token was pulled out or fails (%s: %w); plug it in and sign again", keyring.ErrUnreachable, doing, err)
		}
	}
	if errors.Is(err, pkcs11.Error(pkcs11.CKR_FUNCTION_REJECTED)) || errors.Is(err, pkcs11.Error(pkcs11.CKR_FUNCTION_CANCELED)) {
		return fmt.Errorf("%w at the token (%s: %w)", keyring.ErrDeclined, doing, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
