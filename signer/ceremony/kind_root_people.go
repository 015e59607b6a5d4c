package ceremony

import (
	"errors"
	"maps"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// RootPeople says how the people of root and targets change. The same people
// sign both unless a ceremony has told them apart.
type RootPeople struct {
	Change PeopleChange // of both roles, or of the ones in Only
	Only   string       // metadata.ROOT, metadata.TARGETS, or empty for both
	// TargetsThreshold is that of targets where it shall differ; zero: as
	// Change says.
	TargetsThreshold int
	Now              time.Time
}

// ChangeRoot proposes other holders or other thresholds of root and targets. A
// threshold of those who sign root now and one of those who will must sign it,
// and everybody who is new. Targets is signed anew with it, since what the old
// holders signed may not be enough under the new table.
func ChangeRoot(s *State, o RootPeople) (*Proposal, error) {
	if o.Change.empty() && o.TargetsThreshold == 0 {
		return nil, errors.New("nothing to change: say who joins, leaves or is replaced, or another threshold")
	}
	rows, keys, done := map[string]*metadata.Role{}, map[string]*metadata.Key{}, map[string]bool{}
	var tables []roleTable
	for _, role := range []string{metadata.ROOT, metadata.TARGETS} {
		if o.Only != "" && o.Only != role {
			continue
		}
		t, err := rootRole(s.root, role)
		if err != nil {
			return nil, err
		}
		tables = append(tables, t)
		people, threshold, err := o.Change.apply(t, done)
		if err != nil {
			return nil, err
		}
		if role == metadata.TARGETS && o.TargetsThreshold != 0 {
			threshold = o.TargetsThreshold
		}
		ids, fields, table := row(people)
		rows[role] = &metadata.Role{KeyIDs: ids, Threshold: threshold, UnrecognizedFields: fields}
		maps.Copy(keys, table)
	}
	if err := o.Change.missed(done, tables...); err != nil {
		return nil, err
	}
	root, err := s.nextRoot(rows, keys)
	if err != nil {
		return nil, err
	}
	targets, err := cloneTargets(metadata.TARGETS, s.targets)
	if err != nil {
		return nil, err
	}
	targets.Signed.Version++
	root.Signed.Expires, targets.Signed.Expires = seconds(o.Now.Add(RootLife)), seconds(o.Now.Add(TargetsLife))
	p := newProposal(KindRootPeople, o.Now)
	p.Base = s.base("")
	return p.finish(part{metadata.ROOT, root.Signed}, part{metadata.TARGETS, targets.Signed})
}

func (v *view) checkRootPeople(p *Proposal) error {
	if err := noSubject(p); err != nil {
		return err
	}
	if err := v.expectRoot(metadata.ROOT, metadata.TARGETS); err != nil {
		return err
	}
	if err := v.expectDelegation(""); err != nil {
		return err
	}
	pairs, err := v.rootRows()
	if err != nil {
		return err
	}
	for _, pair := range pairs {
		if !pair[0].same(pair[1]) {
			return nil
		}
	}
	return errors.New("changes no person and no threshold; `renew root` signs the same again")
}

// rootRows gives before and after of root's and targets' rows.
func (v *view) rootRows() ([][2]roleTable, error) {
	var out [][2]roleTable
	for _, role := range []string{metadata.ROOT, metadata.TARGETS} {
		before, err := rootRole(v.baseRoot(), role)
		if err != nil {
			return nil, err
		}
		after, err := rootRole(v.root, role)
		if err != nil {
			return nil, err
		}
		out = append(out, [2]roleTable{before, after})
	}
	return out, nil
}

func describeRootPeople(v *view, _ *Proposal) []string {
	lines := []string{"OTHER PEOPLE OR THRESHOLDS OF root AND targets. Whoever signs it lets these people say who may sign anything at all:"}
	pairs, err := v.rootRows()
	if err != nil {
		return append(lines, err.Error())
	}
	for _, pair := range pairs {
		lines = append(lines, describeChange(pair[0], pair[1])...)
	}
	return append(lines, "Compare the words of each new key with its person, by a way on which you know each other.")
}
