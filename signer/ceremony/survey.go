package ceremony

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/lint"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// LintReport is what LintTree or LintFile looked at, and all that it found.
type LintReport struct {
	Files    int           `json:"files"`
	Products int           `json:"products"`
	Findings lint.Findings `json:"findings"`
}

// LintTree applies every rule to a published tree, from the root that anchor
// names down to every release document. Unlike Verify it does not end at the
// first thing that fails: people mend a tree in one go.
func LintTree(ctx context.Context, src Source, anchor keyring.Anchor, now time.Time) *LintReport {
	s := newSurvey(ctx, src, now)
	s.all(anchor)
	return s.report()
}

// survey reads all of a tree, and notes what breaks a rule on the way.
type survey struct {
	ctx context.Context
	src Source
	now time.Time

	files     map[string]*lint.File // by role; root is the newest
	root      *rootMeta             // the newest; nil if there is none that can be read
	targets   *targetsMeta
	roles     map[string]*targetsMeta // delegated ones that could be read
	documents map[manifests.Product][]*manifests.Release
	bodies    map[string][]byte // of documents, by target path
	read      int
	found     lint.Findings
}

func newSurvey(ctx context.Context, src Source, now time.Time) *survey {
	return &survey{
		ctx: ctx, src: src, now: now, files: map[string]*lint.File{}, roles: map[string]*targetsMeta{},
		documents: map[manifests.Product][]*manifests.Release{}, bodies: map[string][]byte{},
	}
}

func (s *survey) report() *LintReport {
	products := 0
	for role := range s.files {
		if _, ok := layout.ReleasesRoleProduct(role); ok {
			products++
		}
	}
	found := s.found
	if found == nil {
		found = lint.Findings{}
	}
	return &LintReport{Files: s.read, Products: products, Findings: found}
}

func (s *survey) all(anchor keyring.Anchor) {
	s.walkRoots(anchor)
	snapshot := s.online()
	if s.root == nil || snapshot == nil {
		return
	}
	s.walkRoles(snapshot)
	s.walkDocuments()
	s.rollouts()
}

// note adds a finding that only a reader of the whole tree can have.
func (s *survey) note(rule lint.Rule, role, do, format string, args ...any) {
	s.found = append(s.found, &lint.Finding{Rule: rule, Role: role, Says: fmt.Sprintf(format, args...), Do: do})
}

const republish = "publish the tree again; see `candor-server doctor`"

// walkRoots follows the chain of roots. The rules of role tables are held
// against the newest alone: those before it cannot be changed any more.
func (s *survey) walkRoots(anchor keyring.Anchor) {
	var chain []*rootMeta
	var newest []byte
	for v := int64(1); v <= maxRoots; v++ {
		data, err := fetch(s.ctx, s.src, layout.MetadataFile(metadata.ROOT, v), maxRole)
		if errors.Is(err, fs.ErrNotExist) && v > 1 {
			break
		}
		if err != nil {
			s.note(lint.RuleMissing, fmt.Sprintf("root %d", v), republish, "%v", err)
			return
		}
		s.read++
		root, err := readRoot(data)
		if err != nil {
			_, found := lint.Read(metadata.ROOT, data)
			s.found = append(s.found, found...)
			s.note(lint.RuleForm, fmt.Sprintf("root %d", v), "make it again with candor-signer", "%v", err)
			return
		}
		chain = append(chain, root)
		if err := guardedCall(func() error { return verifyNextRoot(chain, len(chain)-1) }); err != nil {
			s.note(lint.RuleThreshMet, metadata.ROOT, "have enough of the root holders before and after sign it", "%v", err)
		}
		if v == anchor.Version {
			if have, err := anchorOf(root); err != nil || !have.Same(anchor) {
				s.note(lint.RuleThreshMet, metadata.ROOT, "find out whose tree this is", "%v (root version %d)", ErrOtherRoot, v)
			}
		}
		newest = data
	}
	if anchor.Version > int64(len(chain)) {
		s.note(lint.RuleMissing, metadata.ROOT, republish, "the tree has root up to version %d, you trust version %d", len(chain), anchor.Version)
	}
	s.root = chain[len(chain)-1]
	if f := s.lint(metadata.ROOT, newest); f != nil {
		s.found = append(s.found, lint.CheckRoot(f, nil)...)
	}
}

// lint reads a file by the rules of its form and times.
func (s *survey) lint(role string, data []byte) *lint.File {
	f, found := lint.Read(role, data)
	s.found = append(s.found, found...)
	if f != nil {
		s.files[role] = f
		s.found = append(s.found, lint.CheckTimes(f, s.now)...)
	}
	return f
}

// get fetches a file that something names; nil with a finding if it is not to
// be had.
func (s *survey) get(role, path string) []byte {
	data, err := fetch(s.ctx, s.src, path, maxRole)
	if err != nil {
		s.note(lint.RuleMissing, role, republish, "%v", err)
		return nil
	}
	s.read++
	return data
}

// online reads timestamp and snapshot, and gives the snapshot.
func (s *survey) online() *lint.File {
	data := s.get(metadata.TIMESTAMP, layout.TimestampFile)
	if data == nil {
		return nil
	}
	f := s.lint(metadata.TIMESTAMP, data)
	if f == nil {
		return nil
	}
	s.found = append(s.found, lint.CheckTimestamp(f)...)
	s.signedBy(metadata.TIMESTAMP, func() error {
		m, err := metadata.Timestamp().FromBytes(data)
		if err != nil {
			return err
		}
		return s.root.VerifyDelegate(metadata.TIMESTAMP, m)
	})
	want, ok := f.Meta["snapshot.json"]
	if !ok {
		return nil
	}
	if data = s.get(metadata.SNAPSHOT, layout.MetadataFile(metadata.SNAPSHOT, want.Version)); data == nil {
		return nil
	}
	s.asNamed(metadata.SNAPSHOT, data, want)
	s.signedBy(metadata.SNAPSHOT, func() error {
		m, err := metadata.Snapshot().FromBytes(data)
		if err != nil {
			return err
		}
		return s.root.VerifyDelegate(metadata.SNAPSHOT, m)
	})
	return s.lint(metadata.SNAPSHOT, data)
}

// signedBy notes a role that not enough of the right keys have signed.
func (s *survey) signedBy(role string, verify func() error) {
	if s.root == nil {
		return
	}
	if err := guardedCall(verify); err != nil {
		s.note(lint.RuleThreshMet, role, "have enough of the people of the role sign it (`candor-signer renew`), or the service, if it is one of its roles", "%v", err)
	}
}

// guardedCall runs calls of the library, which panics on some shapes.
func guardedCall(call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("has a shape that cannot be verified (%v)", p)
		}
	}()
	return call()
}

// asNamed compares a file with the length and hash under which it is named.
func (s *survey) asNamed(role string, data []byte, want lint.Meta) {
	if int64(len(data)) != want.Length || hexSum(data) != want.Hashes["sha256"] {
		s.note(lint.RuleAgrees, role, republish, "its %d bytes are not those that are named", len(data))
	}
}

// walkRoles reads targets and every role that it delegates to, many at a time.
func (s *survey) walkRoles(snapshot *lint.File) {
	files := s.getRoles(snapshot, []string{metadata.TARGETS})
	data := files[metadata.TARGETS]
	if data == nil {
		return
	}
	f := s.lint(metadata.TARGETS, data)
	m, err := readTargets(metadata.TARGETS, data)
	if f == nil || err != nil {
		s.found = append(s.found, lint.CheckSnapshot(nil, snapshot)...)
		return
	}
	s.targets = m
	s.signedBy(metadata.TARGETS, func() error { return s.root.VerifyDelegate(metadata.TARGETS, m) })
	s.found = append(s.found, lint.CheckTargets(s.files[metadata.ROOT], f, nil)...)
	s.found = append(s.found, lint.CheckSnapshot(f, snapshot)...)
	var names []string
	for _, row := range f.Rows {
		names = append(names, row.Name)
	}
	files = s.getRoles(snapshot, names)
	for _, name := range names {
		if files[name] != nil {
			s.delegated(name, files[name])
		}
	}
}

func (s *survey) delegated(name string, data []byte) {
	f := s.lint(name, data)
	if f == nil {
		return
	}
	if product, ok := layout.ReleasesRoleProduct(name); ok {
		s.found = append(s.found, lint.CheckReleases(product, f)...)
	} else {
		s.found = append(s.found, lint.CheckRollouts(f)...)
	}
	m, err := readTargets(name, data)
	if err != nil {
		return // the rules of form have said why
	}
	s.roles[name] = m
	s.signedBy(name, func() error { return s.targets.VerifyDelegate(name, m) })
}

// getRoles fetches roles in the versions that the snapshot names.
func (s *survey) getRoles(snapshot *lint.File, roles []string) map[string][]byte {
	paths := map[string]string{}
	for _, role := range roles {
		if want, ok := snapshot.Meta[role+".json"]; ok {
			paths[role] = layout.MetadataFile(role, want.Version)
		}
	}
	out := s.many(paths, func(string) int64 { return maxRole })
	for _, role := range slices.Sorted(maps.Keys(out)) {
		s.asNamed(role, out[role], snapshot.Meta[role+".json"])
	}
	return out
}

// together is how many files are fetched at a time.
const together = 8

// many fetches files by name, and notes those that are not to be had.
func (s *survey) many(paths map[string]string, limit func(name string) int64) map[string][]byte {
	out, failed := map[string][]byte{}, map[string]error{}
	var mu sync.Mutex
	var work sync.WaitGroup
	queue := make(chan string)
	for range together {
		work.Go(func() {
			for name := range queue {
				data, err := fetch(s.ctx, s.src, paths[name], limit(name))
				mu.Lock()
				if err != nil {
					failed[name] = err
				} else {
					out[name] = data
				}
				mu.Unlock()
			}
		})
	}
	for name := range paths {
		queue <- name
	}
	close(queue)
	work.Wait()
	s.read += len(out)
	for _, name := range slices.Sorted(maps.Keys(failed)) {
		s.note(lint.RuleMissing, name, republish, "%v", failed[name])
	}
	return out
}
