package ceremony

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Standing is what published metadata prove about one release, as of the
// moment when the service last said so.
type Standing struct {
	Issued   time.Time          // of the timestamp; every expiry is judged as of it
	Findings []Finding          // in the order of the walk
	Release  *manifests.Release // nil: the engineers do not sign the build (any more)
	Signed   rollout.Reference  // as the engineers sign it; zero without Release
	Document *rollout.Document  // the product's rollouts; nil: none was published
}

// StandingOf walks from a trusted root to one release and to its product's
// rollouts, as Verify does for a whole tree. Of a tree that was set aside long
// ago it still says what held at that time: expiry is judged as of the issue
// time that the timestamp signs. The walk ends at the first signature that
// does not hold; roles that had expired are findings that do not hold.
func StandingOf(ctx context.Context, src Source, anchor keyring.Anchor, ref vote.Ref) (*Standing, error) {
	issued, err := issueTime(ctx, src)
	if err != nil {
		return nil, err
	}
	w := &walk{ctx: ctx, src: src, now: issued, only: &ref}
	if err := w.run(anchor); err != nil {
		return nil, err
	}
	// What the time was read from is verified by now, unless the source changed it.
	if signed, err := issuedOf(w.timestamp); err != nil || !signed.Equal(issued) {
		return nil, errors.New("timestamp: changed while it was read")
	}
	s := &Standing{Issued: issued, Findings: append(w.held, w.expired...)}
	if err := w.findRelease(ref, s); err != nil {
		return nil, err
	}
	role := w.roles[layout.RolloutsRole]
	if role == nil {
		return s, nil
	}
	path := layout.RolloutsPath(ref.Product)
	target := role.Signed.Targets[path]
	if target == nil {
		return s, nil
	}
	if s.Document, err = w.readRollouts(path, target.Length, target.Hashes["sha256"]); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s.Findings = append(s.Findings, Finding{Subject: path, Holds: true, Words: fmt.Sprintf("document %d, signed by the service", s.Document.Counter)})
	return s, nil
}

func (w *walk) findRelease(ref vote.Ref, s *Standing) error {
	path := layout.ReleasePath(ref.Product, ref.Build)
	body, ok := w.documents[path]
	if !ok {
		return nil
	}
	role := w.roles[layout.ReleasesRole(ref.Product)]
	release, err := readDocument(ref.Product, role, Document{Path: path, Body: body})
	if err != nil {
		return err
	}
	target := role.Signed.Targets[path]
	s.Release, s.Signed = &release, rollout.Reference{Path: path, Length: target.Length, SHA256: manifests.SHA256(target.Hashes["sha256"])}
	s.Findings = append(s.Findings, Finding{Subject: path, Holds: true, Words: "signed by the engineers, version " + release.Version})
	return nil
}

// issueTime reads when a timestamp says that it was made. Nothing is verified.
func issueTime(ctx context.Context, src Source) (time.Time, error) {
	data, err := fetch(ctx, src, layout.TimestampFile, maxRole)
	if err != nil {
		return time.Time{}, fmt.Errorf("timestamp: %w", err)
	}
	m, err := metadata.Timestamp().FromBytes(data)
	if err != nil {
		return time.Time{}, fmt.Errorf("timestamp: %w", err)
	}
	return issuedOf(m)
}

func issuedOf(m *metadata.Metadata[metadata.TimestampType]) (time.Time, error) {
	text, ok := m.Signed.UnrecognizedFields[layout.FieldIssued].(string)
	var t manifests.Time
	if err := t.UnmarshalText([]byte(text)); !ok || err != nil {
		return time.Time{}, fmt.Errorf("timestamp: does not say when it was issued (%s)", layout.FieldIssued)
	}
	if t.After(m.Signed.Expires) {
		return time.Time{}, errors.New("timestamp: says that it was issued after its own end")
	}
	return t.Time, nil
}
