package publish

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
)

// verify walks a generation from its first root down to every document, with
// the library that handsets use. Expiry is not judged: one product whose
// engineers are late must not keep another from being halted.
func (g *generation) verify() (err error) {
	defer func() {
		if p := recover(); p != nil { // the library panics on some shapes
			err = fmt.Errorf("the library gave up: %v", p)
		}
	}()
	set, err := trustedmetadata.New(g.bodies[layout.MetadataFile(metadata.ROOT, 1)])
	if err != nil {
		return fmt.Errorf("root 1: %w", err)
	}
	set.RefTime = time.Time{}
	for v := int64(2); v <= g.Roots; v++ {
		if _, err := set.UpdateRoot(g.bodies[layout.MetadataFile(metadata.ROOT, v)]); err != nil {
			return fmt.Errorf("root %d: %w", v, err)
		}
	}
	if _, err := set.UpdateTimestamp(g.Timestamp); err != nil {
		return fmt.Errorf("timestamp: %w", err)
	}
	if _, err := set.UpdateSnapshot(g.role(metadata.SNAPSHOT), false); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	if _, err := set.UpdateTargets(g.role(metadata.TARGETS)); err != nil {
		return fmt.Errorf("targets: %w", err)
	}
	if d := set.Targets[metadata.TARGETS].Signed.Delegations; d == nil || len(d.Roles) == 0 {
		return errors.New("targets: no delegations")
	}
	for _, d := range set.Targets[metadata.TARGETS].Signed.Delegations.Roles {
		role, err := set.UpdateDelegatedTargets(g.role(d.Name), d.Name, metadata.TARGETS)
		if err != nil {
			return fmt.Errorf("%s: %w", d.Name, err)
		}
		for path, t := range role.Signed.Targets {
			if err := g.verifyTarget(path, t); err != nil {
				return fmt.Errorf("%s: %w", d.Name, err)
			}
		}
	}
	return nil
}

func (g *generation) verifyTarget(path string, t *metadata.TargetFiles) error {
	hash := t.Hashes["sha256"]
	if len(hash) != len(manifests.SHA256{}) || strings.HasPrefix(path, "/") {
		return fmt.Errorf("%s: has no sha256", path)
	}
	body, ok := g.bodies[layout.TargetFile(path, manifests.SHA256(hash))]
	if !ok {
		return fmt.Errorf("%s: its file is missing", path)
	}
	if err := t.VerifyLengthHashes(body); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
