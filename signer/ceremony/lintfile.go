package ceremony

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/lint"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// LintFile applies every rule that one file can be held against alone: a
// proposal, a metadata file or a release document. name is that of the file,
// from which the role is read where the content does not tell.
func LintFile(name string, data []byte, now time.Time) *LintReport {
	r := &LintReport{Files: 1, Findings: lint.Findings{}}
	var kind struct {
		Format string          `json:"format"`
		Spec   string          `json:"spec"`
		Signed json.RawMessage `json:"signed"`
	}
	err := json.Unmarshal(data, &kind)
	switch {
	case err != nil || kind.Signed != nil:
		r.Findings = append(r.Findings, lintMetadata(roleOfFile(name, kind.Signed), data, now)...)
	case kind.Format != "":
		r.Findings = append(r.Findings, lintProposal(name, data, now)...)
	default:
		_, found := lint.CheckDocument(name, data)
		r.Findings = append(r.Findings, found...)
	}
	return r
}

// lintProposal judges each role that the proposal would sign, whole, and then
// what only the proposal as such can break.
func lintProposal(name string, data []byte, now time.Time) lint.Findings {
	var found lint.Findings
	var p struct {
		Roles []struct {
			Name, Signed string
		}
	}
	if json.Unmarshal(data, &p) == nil {
		for _, role := range p.Roles {
			found = append(found, lintMetadata(role.Name, []byte(`{"signatures":[],"signed":`+role.Signed+`}`), now)...)
		}
	}
	if _, err := Parse(data); err != nil && len(found) == 0 {
		found = append(found, &lint.Finding{Rule: lint.RuleForm, Role: filepath.Base(name), Says: err.Error(), Do: "make the proposal again from what is published"})
	}
	return found
}

func lintMetadata(role string, data []byte, now time.Time) lint.Findings {
	f, found := lint.Read(role, data)
	if f == nil {
		return found
	}
	found = append(found, lint.CheckTimes(f, now)...)
	switch role {
	case metadata.ROOT:
		return append(found, lint.CheckRoot(f, nil)...)
	case metadata.TARGETS:
		return append(found, lint.CheckTargets(nil, f, nil)...)
	case metadata.SNAPSHOT:
		return append(found, lint.CheckSnapshot(nil, f)...)
	case metadata.TIMESTAMP:
		return append(found, lint.CheckTimestamp(f)...)
	case layout.RolloutsRole:
		return append(found, lint.CheckRollouts(f)...)
	}
	if product, ok := layout.ReleasesRoleProduct(role); ok {
		found = append(found, lint.CheckReleases(product, f)...)
	}
	return found
}

var numbered = regexp.MustCompile(`^[0-9]+\.`)

// roleOfFile is the role of 3.releases-phone.json; a file of another name is
// what its _type says.
func roleOfFile(name string, signed json.RawMessage) string {
	role := strings.TrimSuffix(numbered.ReplaceAllString(filepath.Base(name), ""), ".json")
	_, releases := layout.ReleasesRoleProduct(role)
	switch role {
	case metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP, layout.RolloutsRole:
		return role
	}
	if releases {
		return role
	}
	var is struct {
		Type    string                     `json:"_type"`
		Targets map[string]json.RawMessage `json:"targets"`
	}
	if json.Unmarshal(signed, &is) != nil || is.Type == "" {
		return role
	}
	for path := range is.Targets {
		if product, _, err := layout.ParseReleasePath(path); err == nil {
			return layout.ReleasesRole(product)
		}
	}
	return is.Type
}
