package keyring

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/candor-ota/candor/manifests/strict"
)

// KindFile is the Location.Kind of a key that lives encrypted in the ring.
const KindFile = "file"

// Bounds of how long the place of a key may take to answer. People have to
// touch, type or confirm in that time; a place that is gone should be noticed.
const (
	MinTimeout     = time.Second
	DefaultTimeout = 2 * time.Minute
	MaxTimeout     = time.Hour
)

const (
	locatorFormat = "candor-key-locator-1"
	maxLocator    = 16 << 10
	maxWords      = 64
	maxWord       = 4 << 10
)

// trialPrefix keeps trial signatures apart from those of metadata, which begin
// with a brace, and of statements.
const trialPrefix = "candor-trial-1\n"

// Location says where the private half of a key lives.
type Location struct {
	Kind  string   `json:"kind"`  // of the Backend
	Words []string `json:"words"` // fingerprint, URI, URL, or program and arguments; none for KindFile
}

// String is for people: the kind, and the words behind it.
func (l Location) String() string { return strings.Join(append([]string{l.Kind}, l.Words...), " ") }

// One gives the only word, of a Location that has to have one.
func (l Location) One() (string, error) {
	if len(l.Words) != 1 || l.Words[0] == "" {
		return "", fmt.Errorf("key of kind %s: one word says where it is, not %d", l.Kind, len(l.Words))
	}
	return l.Words[0], nil
}

func (l Location) check() error {
	if len(l.Words) > maxWords {
		return fmt.Errorf("place of the key: more than %d words", maxWords)
	}
	for _, w := range l.Words {
		if len(w) > maxWord || !utf8.ValidString(w) {
			return fmt.Errorf("place of the key: a word is longer than %d bytes or is not text", maxWord)
		}
		if err := strict.CheckText("place of the key", w); err != nil {
			return err
		}
	}
	return nil
}

// locator is the file NAME.key of a key that lives elsewhere. It holds no
// secret. The public part is repeated, so that a swapped NAME.pub is noticed.
type locator struct {
	Format  string   `json:"format"`
	Public  Public   `json:"public"`
	At      Location `json:"at"`
	Timeout int64    `json:"timeoutSeconds"`
}

// parseLocator reads a locator file strictly.
func parseLocator(data []byte) (locator, error) {
	var l locator
	if err := strict.Decode(data, maxLocator, &l); err != nil {
		return locator{}, fmt.Errorf("locator file: %w", err)
	}
	if l.Format != locatorFormat {
		return locator{}, fmt.Errorf("locator file: format %q; this program reads %q", l.Format, locatorFormat)
	}
	if err := l.Public.check(); err != nil {
		return locator{}, fmt.Errorf("locator file: %w", err)
	}
	if err := l.At.check(); err != nil {
		return locator{}, fmt.Errorf("locator file: %w", err)
	}
	if l.Timeout < 1 || l.Timeout > int64(MaxTimeout/time.Second) {
		return locator{}, fmt.Errorf("locator file: field \"timeoutSeconds\": %d; from 1 to %d", l.Timeout, int64(MaxTimeout/time.Second))
	}
	return l, nil
}

func checkTimeout(d time.Duration) error {
	if d < MinTimeout || d > MaxTimeout || d%time.Second != 0 {
		return fmt.Errorf("timeout %s: whole seconds, from %s to %s", d, MinTimeout, MaxTimeout)
	}
	return nil
}

// isLocator tells the two kinds of NAME.key apart.
func isLocator(data []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) }

// KeyElsewhere says what Add shall enrol.
type KeyElsewhere struct {
	Name    string
	Holder  string
	At      Location
	Timeout time.Duration // for each answer, MinTimeout to MaxTimeout
}

func (k KeyElsewhere) check() error {
	if err := CheckName(k.Name); err != nil {
		return err
	}
	if err := CheckHolder(k.Holder); err != nil {
		return err
	}
	if err := k.At.check(); err != nil {
		return err
	}
	return checkTimeout(k.Timeout)
}

// Add enrols a key that exists elsewhere: reads its public half, has it sign
// something of no meaning, verifies that, and writes NAME.pub and a locator.
// After an error nothing is written.
func (r *Ring) Add(ctx context.Context, k KeyElsewhere, ask Asker) (Public, error) {
	if err := k.check(); err != nil {
		return Public{}, err
	}
	if err := r.free(k.Name); err != nil {
		return Public{}, err
	}
	held, err := r.reach(ctx, k.At, k.Timeout, ask)
	if err != nil {
		return Public{}, fmt.Errorf("key %s: %w", k.Name, err)
	}
	public, err := newPublic(k.Name, k.Holder, held.Key())
	if err == nil {
		err = trial(ctx, &opened{public: public, held: held, timeout: k.Timeout})
	}
	at := held.Location()
	if err = errors.Join(err, held.Close()); err != nil {
		return Public{}, err
	}
	file, err := strict.Canonical(locator{locatorFormat, public, at, int64(k.Timeout / time.Second)})
	if err != nil {
		return Public{}, err
	}
	return public, r.place(public, append(file, '\n'))
}

// trial has a key sign bytes that nobody can have seen before.
func trial(ctx context.Context, key Signer) error {
	nonce := make([]byte, 32)
	if _, err := rand.Read(nonce); err != nil {
		return fmt.Errorf("trial signature: %w", err)
	}
	if _, err := key.Sign(ctx, append([]byte(trialPrefix), nonce...)); err != nil {
		return fmt.Errorf("trial signature: %w", err)
	}
	return nil
}

// reach opens a key where it lives.
func (r *Ring) reach(ctx context.Context, at Location, timeout time.Duration, ask Asker) (Held, error) {
	for _, b := range r.backends {
		if b.Kind() == at.Kind {
			return await(ctx, timeout, func(ctx context.Context, c *clock) (Held, error) { return b.Open(ctx, at, c.asker(ask)) })
		}
	}
	return nil, fmt.Errorf("%s: %w", at.Kind, ErrNotBuilt)
}

// unlockElsewhere opens the key that a locator file names.
func (r *Ring) unlockElsewhere(ctx context.Context, public Public, file []byte, ask Asker) (Signer, error) {
	l, err := parseLocator(file)
	if err != nil {
		return nil, err
	}
	if l.Public != public {
		return nil, errSwapped(r.path(public.Name, ".pub"))
	}
	timeout := time.Duration(l.Timeout) * time.Second
	held, err := r.reach(ctx, l.At, timeout, ask)
	if err != nil {
		return nil, err
	}
	if held.Key() != public.Key {
		return nil, errors.Join(fmt.Errorf("%w (%s)", ErrOtherKey, l.At), held.Close())
	}
	return &opened{public: public, held: held, timeout: timeout}, nil
}
