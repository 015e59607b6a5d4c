package votes

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

// Defaults of the rules in Config.
const (
	DefaultMinKeyAge = 48 * time.Hour
	DefaultGrace     = 24 * time.Hour
	DefaultShowEvery = time.Hour
)

// Ledger is what the service needs of store.Ledger.
type Ledger interface {
	Batch(ctx context.Context, name manifests.Name) (store.Batch, error)
	Batches(ctx context.Context) ([]store.Batch, error)
	store.Enrolments
	store.VoteKeys
	store.Ballots
	store.Shows
	store.Labs
}

// Config is what a Service is made of. Now, Random, Ledger and FirstStage are
// needed; the rules are taken as they stand, zero for none.
type Config struct {
	Master vote.Master
	Ledger Ledger
	Now    func() time.Time
	Random io.Reader // cryptographic

	// FirstStage tells whether a release is in the first stage of its rollout,
	// where young keys get no token.
	FirstStage func(context.Context, vote.Ref) (bool, error)

	MinKeyAge time.Duration // counted from the end of the day of enrolment
	Grace     time.Duration // how long after its attempt a handset is not yet silent
	ShowEvery time.Duration // how often Shown moves on; below a second: at each call
}

// Service is the core of the reports. It is safe for concurrent use.
type Service struct {
	Config
	keys  sync.Map // keyName to *vote.Key; derived for releases in the ledger only
	cas   sync.Map // PEM in the ledger to its *x509.Certificate
	shown sync.Map // vote.Ref to *picture
}

// New makes a service.
func New(c Config) (*Service, error) {
	if c.Ledger == nil || c.Now == nil || c.Random == nil || c.FirstStage == nil || c.Master == (vote.Master{}) {
		return nil, errors.New("votes: master, ledger, clock, randomness and stages are all needed")
	}
	return &Service{Config: c}, nil
}

// PublicKeys gives the two key sets of a release, for its engineers to sign.
func (s *Service) PublicKeys(ref vote.Ref) (primary, spare manifests.VoteKeySet, err error) {
	return s.Master.Rules(ref)
}

// OpenRelease starts to take votes on a release that the ledger knows. Again
// is fine; closed votes stay closed.
func (s *Service) OpenRelease(ctx context.Context, ref vote.Ref) error {
	v := store.VoteRelease{Ref: ref, Opened: s.Now()}
	if _, err := io.ReadFull(s.Random, v.Secret[:]); err != nil {
		return fmt.Errorf("open votes of %s: %w", ref, err)
	}
	return s.Ledger.OpenVotes(ctx, v)
}

// CloseRelease stops taking votes and destroys everything but the counts.
func (s *Service) CloseRelease(ctx context.Context, ref vote.Ref, e store.Entry) error {
	if err := s.Ledger.CloseVotes(ctx, ref, e); err != nil {
		return err
	}
	for _, class := range vote.Classes() {
		s.keys.Delete(keyName{ref, class, vote.Primary})
		s.keys.Delete(keyName{ref, class, vote.Spare})
	}
	return nil
}

// Enrol makes a device key known on the word of a factory credential.
func (s *Service) Enrol(ctx context.Context, r *vote.EnrolRequest) error {
	cred, err := parseCredential(r.Credential)
	if err != nil {
		return refuse(api.CodeBadCredential, "factory credential: "+err.Error())
	}
	batch, err := s.proven(ctx, cred, r.SignedBy)
	if err != nil {
		return err
	}
	n := store.Enrolment{DeviceKey: r.DeviceKey, Batch: batch.Name, Day: store.DayOf(s.Now())}
	return answers(s.Ledger.Enrol(ctx, n, batch.DailyCap),
		refuse(api.CodeConflict, "the device key is enrolled in another batch"))
}

// proven checks a credential and its signature, and gives its batch.
func (s *Service) proven(ctx context.Context, cred credential, signedBy func(ed25519.PublicKey) bool) (store.Batch, error) {
	batch, err := s.Ledger.Batch(ctx, cred.batch)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return batch, refuse(api.CodeBadCredential, fmt.Sprintf("factory credential: batch %q is not known here", cred.batch))
	case err != nil:
		return batch, err
	case !batch.Revoked.IsZero():
		return batch, refuse(api.CodeBatchRevoked, fmt.Sprintf("batch %s was revoked", batch.Name))
	}
	ca, err := s.ca(batch.CA)
	if err != nil {
		return batch, fmt.Errorf("batch %s: %w", batch.Name, err)
	}
	key, err := cred.check(ca, s.Now())
	if err != nil {
		return batch, refuse(api.CodeBadCredential, "factory credential: "+err.Error())
	}
	if !signedBy(key) {
		return batch, refuse(api.CodeBadCredential, "the credential key did not sign this request")
	}
	return batch, nil
}

func (s *Service) ca(text string) (*x509.Certificate, error) {
	if c, ok := s.cas.Load(text); ok {
		return c.(*x509.Certificate), nil
	}
	c, err := parseCA(text)
	if err == nil {
		s.cas.Store(text, c)
	}
	return c, err
}

// Withdraw forgets a device key at once.
func (s *Service) Withdraw(ctx context.Context, r *vote.WithdrawRequest) error {
	if !r.Signed() {
		return refuse(api.CodeBadCredential, "the device key did not sign this request")
	}
	return s.Ledger.Withdraw(ctx, r.DeviceKey)
}

// enrolled gives the enrolment of a key whose owner signed.
func (s *Service) enrolled(ctx context.Context, key vote.DeviceKey, signed func() bool) (store.Enrolment, error) {
	n, err := s.Ledger.Enrolment(ctx, key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return n, refuse(api.CodeNotEnrolled, "the device key is not enrolled; enrol first")
	case err != nil:
		return n, err
	case !signed():
		return n, refuse(api.CodeBadCredential, "the device key did not sign this request")
	}
	return n, nil
}

type keyName struct {
	ref   vote.Ref
	class vote.Class
	set   vote.Set
}

// key gives the vote key of a release whose votes are open under this set.
func (s *Service) key(ctx context.Context, name keyName) (*vote.Key, store.VoteRelease, error) {
	v, err := s.Ledger.VoteRelease(ctx, name.ref)
	if err == nil && !v.Closed.IsZero() {
		err = store.ErrClosed
	}
	if err == nil && v.Active != name.set {
		err = store.ErrRetired
	}
	if err != nil {
		return nil, v, answers(err, err)
	}
	if k, ok := s.keys.Load(name); ok {
		return k.(*vote.Key), v, nil
	}
	k, err := s.Master.Key(name.ref, name.class, name.set)
	if err != nil {
		return nil, v, err
	}
	s.keys.Store(name, k)
	return k, v, nil
}

// castKey is key without a look at the ledger once the key is known: whether
// the votes are open under this set is read where the vote is counted, in the
// same transaction.
func (s *Service) castKey(ctx context.Context, name keyName) (*vote.Key, error) {
	if k, ok := s.keys.Load(name); ok {
		return k.(*vote.Key), nil
	}
	k, _, err := s.key(ctx, name)
	return k, err
}

// tag stands for a credential within one release: without k_r nobody can tell
// which credential it is, nor that two releases saw the same one.
func tag(v store.VoteRelease, credentialKey ed25519.PublicKey) store.Tag {
	h := hmac.New(sha256.New, v.Secret[:])
	h.Write([]byte("candor-tag-v1"))
	h.Write(credentialKey)
	return store.Tag(h.Sum(nil)[:len(store.Tag{})])
}
