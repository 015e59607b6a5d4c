package program

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/candor-ota/candor/manifests/strict"
	"github.com/candor-ota/candor/signer/keyring"
)

const (
	// Kind is the name of this place in locator files.
	Kind = "command"
	// Version of the protocol.
	Version = 1
	// MaxAnswer bounds what a program may answer; a signature needs 100 bytes.
	MaxAnswer = 64 << 10
	// grace is what a program gets between SIGTERM and the end.
	grace = 5 * time.Second
)

// Backend runs programs. What they write to standard error goes to Stderr.
type Backend struct{ Stderr io.Writer }

// Kind is "command".
func (Backend) Kind() string { return Kind }

// Open asks the program, whose arguments are the words of at behind the first,
// for its public key.
func (b Backend) Open(ctx context.Context, at keyring.Location, _ keyring.Asker) (keyring.Held, error) {
	if len(at.Words) == 0 || at.Words[0] == "" {
		return nil, errors.New("command: name the program")
	}
	path, err := exec.LookPath(at.Words[0])
	if err == nil {
		path, err = filepath.Abs(path) // what is first in PATH tomorrow is another program
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", keyring.ErrUnreachable, err)
	}
	h := &held{argv: append([]string{path}, at.Words[1:]...), stderr: b.Stderr}
	answer, err := h.ask(ctx, question{Do: "public"})
	if err != nil {
		return nil, err
	}
	public, err := x509.ParsePKIXPublicKey(answer.Public)
	if err != nil {
		return nil, fmt.Errorf("command %s: field \"public\" is no SubjectPublicKeyInfo (DER, in base64): %w", path, err)
	}
	if h.key, err = keyring.KeyOf(public); err != nil {
		return nil, fmt.Errorf("command %s: %w", path, err)
	}
	h.public = answer.Public
	return h, nil
}

type held struct {
	argv   []string // the program's absolute path, and its arguments
	stderr io.Writer
	key    keyring.Key
	public binary
}

func (h *held) Key() keyring.Key           { return h.key }
func (h *held) Location() keyring.Location { return keyring.Location{Kind: Kind, Words: h.argv} }
func (h *held) Close() error               { return nil }

// Sign runs the program once.
func (h *held) Sign(ctx context.Context, payload []byte) ([]byte, error) {
	id, err := h.key.ID()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(payload)
	answer, err := h.ask(ctx, question{Do: "sign", KeyID: id, Payload: payload, Public: h.public, SHA256: sum[:]})
	if err != nil {
		return nil, err
	}
	if len(answer.Signature) == 0 {
		return nil, fmt.Errorf("command %s: its answer has no field \"signature\"", h.argv[0])
	}
	return answer.Signature, nil
}

// question is what a program reads. Empty fields are left out.
type question struct {
	Do      string `json:"do"`
	KeyID   string `json:"keyid,omitempty"`
	Payload binary `json:"payload,omitempty"`
	Public  binary `json:"public,omitempty"`
	SHA256  binary `json:"sha256,omitempty"`
	Version int64  `json:"version"`
}

// answer is what it writes.
type answer struct {
	Public    binary `json:"public,omitempty"`
	Signature binary `json:"signature,omitempty"`
	Error     string `json:"error,omitempty"`
	Code      string `json:"code,omitempty"`
}

// binary is bytes, written in standard base64.
type binary []byte

// MarshalText writes base64.
func (b binary) MarshalText() ([]byte, error) {
	return base64.StdEncoding.AppendEncode(nil, b), nil
}

// UnmarshalText reads base64.
func (b *binary) UnmarshalText(text []byte) error {
	raw, err := base64.StdEncoding.Strict().DecodeString(string(text))
	*b = raw
	return err
}

// codes are what a program may say about why it did not sign.
var codes = map[string]error{
	"declined": keyring.ErrDeclined, "no-key": keyring.ErrNoKey,
	"unreachable": keyring.ErrUnreachable, "kind": keyring.ErrKind,
}

// parse reads an answer strictly.
func parse(data []byte) (answer, error) {
	var a answer
	if err := strict.Decode(bytes.TrimSpace(data), MaxAnswer, &a); err != nil {
		return answer{}, fmt.Errorf("its answer is not what the protocol asks for: %w", err)
	}
	switch why, known := codes[a.Code]; {
	case a.Code != "" && !known:
		return answer{}, fmt.Errorf("its answer has an unknown code %q", a.Code)
	case known:
		return answer{}, fmt.Errorf("%w: it says %q", why, a.Error)
	case a.Error != "":
		return answer{}, fmt.Errorf("it says %q", a.Error)
	}
	return a, nil
}
