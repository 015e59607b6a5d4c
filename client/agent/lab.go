package agent

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/candor-ota/candor/client/receipts"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
)

// labID gives the lab id, nil outside of lab mode.
func (a *Agent) labID() *[32]byte {
	id, err := hex.DecodeString(a.mem.Lab)
	if err != nil || len(id) != 32 {
		return nil
	}
	return (*[32]byte)(id)
}

// Lab gives the hash by which rollouts name this handset; false outside of lab
// mode.
func (a *Agent) Lab() (manifests.SHA256, bool) {
	id := a.labID()
	if id == nil {
		return manifests.SHA256{}, false
	}
	return rollout.LabHash(*id), true
}

// LabOn is the owner's word that this handset tries builds for others: it draws
// a lab id, and gives the hash for `audience.lab` of a plan only when the
// receipt and the id are on the medium. From then on trials and regressions are
// reported by name. Repeating it gives the same hash.
func (a *Agent) LabOn() (manifests.SHA256, error) {
	if hash, on := a.Lab(); on {
		return hash, a.Reports.ByName(true)
	}
	var id [32]byte
	if _, err := rand.Read(id[:]); err != nil {
		return manifests.SHA256{}, fmt.Errorf("lab id: %w", err)
	}
	hash := rollout.LabHash(id)
	if a.Receipts != nil {
		if err := a.Receipts.Append(receipts.Entry{Kind: receipts.LabOn, Why: "Rollouts name it by " + hash.String() + "."}); err != nil {
			return manifests.SHA256{}, fmt.Errorf("lab mode: %w", err)
		}
	}
	before := a.mem.Lab
	a.mem.Lab = hex.EncodeToString(id[:])
	if err := a.saveMemory(); err != nil {
		a.mem.Lab = before
		return manifests.SHA256{}, fmt.Errorf("lab mode: %w", err)
	}
	return hash, a.Reports.ByName(true)
}

// LabOff destroys the lab id, also in a memory that was set aside, and ends
// reporting by name. The id is gone when LabOff returns nil.
func (a *Agent) LabOff() error {
	_, was := a.Lab()
	before := a.mem.Lab
	a.mem.Lab = ""
	if err := a.saveMemory(); err != nil {
		a.mem.Lab = before
		return fmt.Errorf("lab mode is still on: %w", err)
	}
	failure := a.dropSetAside()
	if was && a.Receipts != nil {
		failure = errors.Join(failure, a.Receipts.Append(receipts.Entry{Kind: receipts.LabOff})) // off it is all the same
	}
	return errors.Join(failure, a.Reports.ByName(false))
}

// dropSetAside removes a damaged memory, which may hold a lab id.
func (a *Agent) dropSetAside() error {
	err := a.Disk.Remove(a.memoryPath() + damaged)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, a.Disk.SyncDir(filepath.Dir(a.memoryPath())))
}
