package ceremony

import (
	"cmp"
	"encoding/hex"
	"maps"
	"slices"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/lint"
)

// walkDocuments reads every release, and holds each against those before it
// that it may replace: every pair that compatible admits.
func (s *survey) walkDocuments() {
	paths, limits := map[string]string{}, map[string]int64{}
	for role, m := range s.roles {
		if _, ok := layout.ReleasesRoleProduct(role); !ok {
			continue
		}
		for path, t := range m.Signed.Targets {
			if hash := t.Hashes["sha256"]; len(hash) == len(manifests.SHA256{}) {
				paths[path], limits[path] = layout.TargetFile(path, manifests.SHA256(hash)), min(t.Length, manifests.MaxReleaseBytes)
			}
		}
	}
	files := s.many(paths, func(path string) int64 { return limits[path] })
	for _, path := range slices.Sorted(maps.Keys(files)) {
		s.document(path, files[path])
	}
	for _, product := range slices.Sorted(maps.Keys(s.documents)) {
		live := s.documents[product]
		slices.SortFunc(live, func(a, b *manifests.Release) int { return cmp.Compare(a.Build, b.Build) })
		for _, r := range live {
			s.found = append(s.found, lint.CheckSuccession(layout.ReleasePath(product, r.Build), r, live, false)...)
		}
	}
}

func (s *survey) document(path string, data []byte) {
	product, build, err := layout.ParseReleasePath(path)
	if err != nil {
		return // CheckReleases has said so
	}
	t := s.roles[layout.ReleasesRole(product)].Signed.Targets[path]
	if int64(len(data)) != t.Length || hexSum(data) != hex.EncodeToString(t.Hashes["sha256"]) {
		s.note(lint.RuleAgrees, path, republish, "its %d bytes are not those that were signed", len(data))
		return
	}
	r, found := lint.CheckDocument(path, data)
	s.found = append(s.found, found...)
	if r == nil {
		return
	}
	if r.Product != product || r.Build != build {
		s.note(lint.RuleAgrees, path, "sign the document under its own name", "says that it is build %d of %s", r.Build, r.Product)
		return
	}
	s.bodies[path] = data
	s.documents[product] = append(s.documents[product], r)
}

// rollouts holds what the service offers against what the engineers sign.
func (s *survey) rollouts() {
	w := &walk{ctx: s.ctx, src: s.src, now: s.now, roles: s.roles}
	for _, f := range w.checkRollouts() {
		if !f.Holds {
			s.note(lint.RuleAgrees, f.Subject, "the service made it; halt the rollout, and look at the server's log", "%s", f.Words)
		}
	}
}
