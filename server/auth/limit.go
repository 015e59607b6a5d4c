package auth

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/candor-ota/candor/manifests"
)

// TooManyError: the address, or the whole server, has seen too many tries.
type TooManyError struct{ Retry time.Duration }

func (e *TooManyError) Error() string {
	return fmt.Sprintf("too many tries; again in %s", e.Retry)
}

// Rate is a bucket of tries and how fast it fills.
type Rate struct {
	Burst int
	Every time.Duration // one try more
}

// maxAddresses bounds the memory of a limiter; the address that was seen
// longest ago is forgotten first.
const maxAddresses = 4096

// Limiter counts tries of each address and of all together. It keeps addresses
// in memory only, and never says them.
type Limiter struct {
	address Rate
	mu      sync.Mutex
	all     *rate.Limiter
	byAge   *list.List // of *tries, the latest in front
	known   map[netip.Prefix]*list.Element
}

type tries struct {
	from netip.Prefix
	left *rate.Limiter
}

// NewLimiter makes a limiter for each address and for all.
func NewLimiter(address, all Rate) *Limiter {
	return &Limiter{address: address, all: bucket(all), byAge: list.New(), known: map[netip.Prefix]*list.Element{}}
}

func bucket(r Rate) *rate.Limiter { return rate.NewLimiter(rate.Every(r.Every), r.Burst) }

// network is what counts as one address: an IPv6 network of 64 bits belongs to
// one party.
func network(a netip.Addr) netip.Prefix {
	bits := 32
	if a = a.Unmap().WithZone(""); a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // no address: all of those share one bucket
	}
	return p
}

// Blocked is an error while the address has no try left.
func (l *Limiter) Blocked(a netip.Addr, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.known[network(a)]
	if !ok {
		return nil
	}
	return l.wait(e.Value.(*tries).left, now)
}

// Spend takes a try, and is an error if there is none.
func (l *Limiter) Spend(a netip.Addr, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.known[network(a)]
	if ok {
		l.byAge.MoveToFront(e)
	} else {
		if l.byAge.Len() >= maxAddresses {
			oldest := l.byAge.Back()
			delete(l.known, oldest.Value.(*tries).from)
			l.byAge.Remove(oldest)
		}
		e = l.byAge.PushFront(&tries{network(a), bucket(l.address)})
		l.known[network(a)] = e
	}
	for _, b := range []*rate.Limiter{e.Value.(*tries).left, l.all} {
		if !b.AllowN(now, 1) {
			return l.wait(b, now)
		}
	}
	return nil
}

// wait is how long until a bucket has a try, as an error; nil if it has one.
func (l *Limiter) wait(b *rate.Limiter, now time.Time) error {
	missing := 1 - b.TokensAt(now)
	if missing <= 0 {
		return nil
	}
	d := time.Duration(missing / float64(b.Limit()) * float64(time.Second))
	return &TooManyError{Retry: max(d, time.Second)}
}

// Bearers authenticates tokens and slows down who tries many. A wrong token
// costs its address a try; an address without one is not looked up any more,
// except with a token that has worked since the server started, so that a
// broken machine behind the same address locks nobody out for long. All
// together can run out too; that only changes the answer to wrong ones.
type Bearers struct {
	Tokens Tokens
	Now    func() time.Time
	Limit  *Limiter

	mu     sync.Mutex
	worked map[manifests.SHA256]struct{}
}

const maxWorked = 4096

// Authenticate is like the function of that name, and may be a TooManyError.
func (b *Bearers) Authenticate(ctx context.Context, header string, from netip.Addr) (Identity, error) {
	now := b.Now()
	hash, err := tokenHash(header)
	if err != nil || !b.hasWorked(hash) {
		if err := b.Limit.Blocked(from, now); err != nil {
			return Identity{}, err
		}
	}
	who, err := Authenticate(ctx, b.Tokens, header, now)
	if errors.Is(err, ErrUnauthorized) {
		b.forget(hash)
		if many := b.Limit.Spend(from, now); many != nil {
			return Identity{}, many
		}
	}
	if err == nil {
		b.remember(hash)
	}
	return who, err
}

func (b *Bearers) hasWorked(hash manifests.SHA256) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.worked[hash]
	return ok
}

func (b *Bearers) remember(hash manifests.SHA256) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.worked == nil || len(b.worked) >= maxWorked {
		b.worked = map[manifests.SHA256]struct{}{} // they come back by working again
	}
	b.worked[hash] = struct{}{}
}

func (b *Bearers) forget(hash manifests.SHA256) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.worked, hash)
}
