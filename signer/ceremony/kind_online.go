package ceremony

import (
	"fmt"
	"time"

	"github.com/candor-ota/candor/manifests/layout"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// The three keys of the service are replaced at once: in root those of snapshot
// and timestamp, in targets the one of rollouts. No kind replaces one alone. A
// thief of one key can have signed numbers that no honest file will ever reach;
// a handset forgets them when no key that signed them is left, and what it has
// seen of snapshot vouches for all the rest.

// RotateOnline proposes other keys of the service. Root holders sign it; the
// service begins to sign with the new keys when it is published, and handsets
// stop believing the old ones when they see it.
func RotateOnline(s *State, online Online, now time.Time) (*Proposal, error) {
	rows, keys := map[string]*metadata.Role{}, map[string]*metadata.Key{}
	for name, k := range map[string]OnlineKey{metadata.SNAPSHOT: online.Snapshot, metadata.TIMESTAMP: online.Timestamp} {
		rows[name] = &metadata.Role{KeyIDs: []string{k.KeyID}, Threshold: 1}
		keys[k.KeyID] = tufKey(k.Key)
	}
	root, err := s.nextRoot(rows, keys)
	if err != nil {
		return nil, err
	}
	rollouts := online.Rollouts
	targets, err := s.nextDelegation(layout.RolloutsRole, func(r *metadata.DelegatedRole) { r.KeyIDs, r.Threshold = []string{rollouts.KeyID}, 1 },
		map[string]*metadata.Key{rollouts.KeyID: tufKey(rollouts.Key)})
	if err != nil {
		return nil, err
	}
	root.Signed.Expires, targets.Signed.Expires = seconds(now.Add(RootLife)), seconds(now.Add(TargetsLife))
	p := newProposal(KindOnline, now)
	p.Base = s.base("")
	return p.finish(part{metadata.ROOT, root.Signed}, part{metadata.TARGETS, targets.Signed})
}

func (v *view) checkOnlineKeys(p *Proposal) error {
	if err := noSubject(p); err != nil {
		return err
	}
	if err := v.expectRoot(metadata.SNAPSHOT, metadata.TIMESTAMP); err != nil {
		return err
	}
	if err := v.expectDelegation(layout.RolloutsRole); err != nil {
		return err
	}
	before, err := onlineTables(v.baseRoot(), v.baseTargets)
	if err != nil {
		return err
	}
	after, err := onlineTables(v.root, v.targets)
	if err != nil {
		return err
	}
	old := map[string]string{}
	for _, t := range before {
		old[t.keyIDs[0]] = t.name
	}
	for _, t := range after {
		if role, kept := old[t.keyIDs[0]]; kept {
			return fmt.Errorf("role %s: key %s is the one that %s has now; all three keys of the service are replaced together (`candor-server keys new` makes three)", t.name, short(t.keyIDs[0]), role)
		}
	}
	return nil
}

// onlineTables are the rows of the roles that the service signs.
func onlineTables(root *rootMeta, targets *targetsMeta) ([]roleTable, error) {
	var out []roleTable
	for _, name := range []string{metadata.TIMESTAMP, metadata.SNAPSHOT} {
		t, err := rootRole(root, name)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	t, err := delegatedRole(targets, layout.RolloutsRole)
	return append(out, t), err
}

func describeOnlineKeys(v *view, _ *Proposal) []string {
	lines := []string{"NEW KEYS FOR THE SERVICE, all three of them. Compare the words with whoever runs the server:"}
	before, err := onlineTables(v.baseRoot(), v.baseTargets)
	if err != nil {
		return append(lines, err.Error())
	}
	after, err := onlineTables(v.root, v.targets)
	if err != nil {
		return append(lines, err.Error())
	}
	for i, t := range after {
		lines = append(lines, fmt.Sprintf("  %s: key %s -> %s", t.name, wordsOf(before[i].keyIDs[0]), wordsOf(t.keyIDs[0])))
	}
	return append(lines, "Once it is published, handsets believe nothing that the old keys sign. People and thresholds stay as they are.")
}
