package publish

import (
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"github.com/candor-ota/candor/manifests/layout"
)

// inPlace is a handset that holds what is published now and polls: it must be
// led to the next tree from there. What it holds and a new root no longer
// trusts counts for nothing, as on a handset.
func (r *rehearsal) inPlace(at time.Time) error {
	if r.before.number == 0 || r.before.Roots == 0 {
		return nil
	}
	role := metadata.ROOT
	if err := guarded(func() error { return r.poll(at, &role) }); err != nil {
		return &LockedOut{"a handset that is up to date", role, err}
	}
	return nil
}

// poll keeps role at what is being read.
func (r *rehearsal) poll(at time.Time, role *string) error {
	set, err := trustedmetadata.New(r.before.bodies[layout.MetadataFile(metadata.ROOT, r.before.Roots)])
	if err != nil {
		return err
	}
	set.RefTime = at
	for v := r.before.Roots + 1; v <= r.next.Roots; v++ {
		if _, err := set.UpdateRoot(r.next.bodies[layout.MetadataFile(metadata.ROOT, v)]); err != nil {
			return err
		}
	}
	held := func(call func() error) { // its own old files may have run out, or lost their keys
		if err := call(); err != nil {
			return
		}
	}
	*role = metadata.TIMESTAMP
	held(func() error { _, err := set.UpdateTimestamp(r.before.Timestamp); return err })
	if _, err := set.UpdateTimestamp(r.next.Timestamp); err != nil {
		return err
	}
	*role = metadata.SNAPSHOT
	held(func() error { _, err := set.UpdateSnapshot(r.before.role(metadata.SNAPSHOT), true); return err })
	if _, err := set.UpdateSnapshot(r.next.role(metadata.SNAPSHOT), false); err != nil {
		return err
	}
	*role = metadata.TARGETS
	_, err = set.UpdateTargets(r.next.role(metadata.TARGETS))
	return err
}
