package keyring

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Signer is one key of the ring that is ready to sign, wherever its private
// half lives. It is for one goroutine and one command; Close it.
type Signer interface {
	// Public is the half that its holder has handed to others.
	Public() Public
	// Sign gives a signature of payload that has been verified with Public:
	// Ed25519 over the bytes, P-256 over their SHA-256 (ASN.1). Nothing is
	// tried twice.
	Sign(ctx context.Context, payload []byte) ([]byte, error)
	// Close forgets the secret or ends the connection. Sign fails afterwards.
	Close() error
}

// Refusals that every place of keys gives by the same name.
var (
	ErrPassphrase     = errors.New("the passphrase does not open this key")
	ErrPIN            = errors.New("the token refused the PIN")
	ErrKind           = errors.New("only Ed25519 and P-256 keys are used")
	ErrNoKey          = errors.New("the key is not there")
	ErrAmbiguous      = errors.New("more than one key fits")
	ErrDeclined       = errors.New("signing was declined")
	ErrUnreachable    = errors.New("the place where the key lives cannot be reached")
	ErrOtherKey       = errors.New("another key is there than the one that was added")
	ErrWrongSignature = errors.New("what came back is not a signature by this key of these bytes; it is not used")
	ErrNotBuilt       = errors.New("this candor-signer was built without it")
	ErrTimeout        = errors.New("no answer in time")
	ErrClosed         = errors.New("the key was closed")
)

// Held is a key in the place where it lives, as a Backend reaches it. It is
// used by one goroutine at a time, but Close may come while an abandoned Sign
// still runs.
type Held interface {
	// Key is the public half, as the place gives it now.
	Key() Key
	// Location finds this key again, and no other.
	Location() Location
	// Sign signs payload in the form that Key.Verify takes.
	Sign(ctx context.Context, payload []byte) ([]byte, error)
	Close() error
}

// Backend reaches the keys of one kind of place. Its errors are, or wrap, the
// refusals above.
type Backend interface {
	// Kind names the place in locator files.
	Kind() string
	// Open reaches one key. at is what a person gave to `key add`, or what
	// Held.Location gave then.
	Open(ctx context.Context, at Location, ask Asker) (Held, error)
}

// Asker gives the passphrase or PIN that opens a key.
type Asker interface {
	Ask(ctx context.Context, q Question) (string, error)
	// Tries is how often it is of use to ask for one secret: 1 for a source
	// that would only say the same again, such as a file.
	Tries() int
}

// Question says which secret is asked for.
type Question struct {
	What  string // "passphrase" or "PIN"
	Of    string // "key alice", "token Root keys"
	Again bool   // the answer before was wrong
}

// Passphrase is an Asker that knows one answer.
type Passphrase string

// Ask gives p.
func (p Passphrase) Ask(context.Context, Question) (string, error) { return string(p), nil }

// Tries is 1.
func (p Passphrase) Tries() int { return 1 }

// opened is a key of the ring in use.
type opened struct {
	public  Public
	held    Held
	timeout time.Duration // for each answer; 0 waits for ever
	closed  bool
}

func (o *opened) Public() Public { return o.public }

func (o *opened) Sign(ctx context.Context, payload []byte) ([]byte, error) {
	if o.closed {
		return nil, fmt.Errorf("key %s: %w", o.public.Name, ErrClosed)
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("key %s: %w", o.public.Name, context.Cause(ctx))
	}
	sig, err := await(ctx, o.timeout, func(ctx context.Context, _ *clock) ([]byte, error) { return o.held.Sign(ctx, payload) })
	if err == nil && !o.public.Key.Verify(payload, sig) {
		err = ErrWrongSignature
	}
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", o.public.Name, err)
	}
	return sig, nil
}

func (o *opened) Close() error {
	if o.closed {
		return nil
	}
	o.closed = true
	if err := o.held.Close(); err != nil {
		return fmt.Errorf("key %s: %w", o.public.Name, err)
	}
	return nil
}
