package store

import (
	"context"
	"time"

	"github.com/candor-ota/candor/manifests"
)

// Login is an attempt to sign in that is under way. What makes it a secret is
// in the browser's cookie alone; the ledger knows its hash.
type Login struct {
	Hash    manifests.SHA256 // of the cookie's secret
	Next    string           // the local path to go to afterwards
	Expires time.Time
}

// Session is a browser in which somebody has signed in. Only the hash of its
// secret is stored.
type Session struct {
	ID      string           // names it in lists; opens nothing
	Hash    manifests.SHA256 // of the cookie's secret
	Person  string           // issuer#subject, or the owner of the token
	Issuer  string           // empty if a token began it
	Token   string           // ID of the API token that began it; empty if the provider did
	Name    string           // for display
	Groups  []string         // of the person at the provider, at sign-in
	Created time.Time
	Seen    time.Time // the last use, to the minute
	Expires time.Time // at the latest, however much it is used
}

// SessionQuery picks sessions. Empty fields do not pick; all empty is all.
type SessionQuery struct {
	ID     string
	Person string
}

// Sessions keeps sign-ins and sessions. None of it is needed after it has
// expired: each method that adds removes what has.
type Sessions interface {
	// AddLogin is ErrExists if the hash is taken, and ErrFull if max attempts
	// that have not expired at now are under way.
	AddLogin(ctx context.Context, l Login, max int, now time.Time) error
	// TakeLogin gives an attempt and removes it, so that it is given once;
	// ErrNotFound if there is none.
	TakeLogin(ctx context.Context, hash manifests.SHA256) (Login, error)
	// AddSession is ErrExists if ID or hash is taken. It removes sessions that
	// expired before s.Created.
	AddSession(ctx context.Context, s Session, e Entry) error
	// SessionByHash gives expired ones too; ErrNotFound if none.
	SessionByHash(ctx context.Context, hash manifests.SHA256) (Session, error)
	// SessionList gives the sessions of a query, the newest first.
	SessionList(ctx context.Context, q SessionQuery) ([]Session, error)
	// TouchSession moves Seen forward, never back; no session is no error.
	TouchSession(ctx context.Context, id string, seen time.Time) error
	// EndSessions removes the sessions of a query and tells how many; none
	// leaves no entry.
	EndSessions(ctx context.Context, q SessionQuery, e Entry) (int, error)
}
