package evidence

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/audit"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/strict"
	"github.com/candor-ota/candor/manifests/verdict"
)

// Spec names the form and its version.
const Spec = "candor-evidence-v1"

// Bounds of a bundle.
const (
	MaxBytes = 64 << 20
	MaxRows  = 200_000
	maxFiles = 2048 // of which 1,024 roots
)

// Bundle is what the service says about one rollout, with its proofs.
type Bundle struct {
	Spec    string            `json:"spec"`
	ID      manifests.Name    `json:"id"` // of the rollout
	Product manifests.Product `json:"product"`
	Build   manifests.Build   `json:"build"`
	Made    manifests.Time    `json:"made"`
	// Rollout is as GET /v1/rollouts/{id} gives it, without outlook and
	// missingApprovals, which are of the moment.
	Rollout api.Rollout `json:"rollout"`
	// ApprovalShare is the share above which this service asks for two people.
	ApprovalShare manifests.SharePPM `json:"approvalSharePPM"`
	// Counts are the votes as they are shown: late, and without small parts.
	Counts verdict.Counts `json:"counts"`
	// Files are what was published, by their path in the tree (package layout):
	// every root, timestamp, snapshot, targets, releases-PRODUCT, rollouts, the
	// release document (unless it is withdrawn) and the rollouts document.
	Files map[string][]byte `json:"files"`
	// Rows are the audit log from the first entry about the rollout to the last,
	// with the entries of others between, so that the chain can be followed.
	Rows []Row `json:"rows"`
	Head Head  `json:"head"` // of the whole log when the bundle was made
}

// Head is an audit.Head as a bundle holds it.
type Head struct {
	Seq  int64            `json:"seq"`
	Hash manifests.SHA256 `json:"hash"`
}

// Row is an entry of the audit log. In a bundle it is a text, its line of an
// export, because its hash covers the bytes of its detail.
type Row struct{ audit.Entry }

// MarshalText gives the entry's line without its line feed.
func (r Row) MarshalText() ([]byte, error) {
	line, err := r.Line()
	return bytes.TrimSuffix(line, []byte("\n")), err
}

// UnmarshalText reads what MarshalText wrote.
func (r *Row) UnmarshalText(text []byte) error {
	e, err := audit.Parse(text)
	r.Entry = e
	return err
}

// Parse reads a bundle of at most MaxBytes.
func Parse(data []byte) (*Bundle, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("evidence: %w", strict.Refuse("", "more than %d bytes", MaxBytes))
	}
	var b Bundle
	if err := strict.Written("a bundle", data, &b, b.encode); err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	return &b, nil
}

// Encode gives the bundle's bytes, or refuses one that is not well formed.
func (b *Bundle) Encode() ([]byte, error) {
	data, err := b.encode()
	if err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	return data, nil
}

func (b *Bundle) encode() ([]byte, error) {
	if err := b.validate(); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(b); err != nil {
		return nil, err
	}
	if out.Len() > MaxBytes {
		return nil, strict.Refuse("", "%d bytes; a bundle has at most %d", out.Len(), MaxBytes)
	}
	return out.Bytes(), nil
}

// Plan gives the rollout's plan.
func (b *Bundle) Plan() (*rollout.Plan, error) {
	data, err := json.Marshal(b.Rollout.Plan)
	if err != nil {
		return nil, err
	}
	return rollout.ParsePlan(data)
}

func (b *Bundle) validate() error {
	r := &b.Rollout
	switch {
	case b.Spec != Spec:
		return strict.Refuse("spec", "is %q; this program reads %q", b.Spec, Spec)
	case string(b.ID) != r.Id:
		return strict.Refuse("rollout.id", "is %q, the bundle is about %q", r.Id, b.ID)
	case string(b.Product) != r.Product || uint64(b.Build) != uint64(r.Build):
		return strict.Refuse("rollout.build", "is %d of %q, the bundle is about %d of %q", r.Build, r.Product, b.Build, b.Product)
	case b.ApprovalShare > manifests.WholeFleet:
		return strict.Refuse("approvalSharePPM", "is %d; at most 1000000 parts per million", b.ApprovalShare)
	case len(b.Rows) == 0 || len(b.Rows) > MaxRows:
		return strict.Refuse("rows", "has %d entries; 1 to %d are allowed", len(b.Rows), MaxRows)
	case len(b.Files) > maxFiles:
		return strict.Refuse("files", "has %d entries; at most %d", len(b.Files), maxFiles)
	}
	for path, body := range b.Files {
		if !layout.IsTreePath(path) {
			return strict.Refuse("files", "%.80q is no path of metadata or of a document", path)
		}
		if len(body) == 0 || len(body) > layout.MaxMetadataBytes {
			return strict.Refuse("files", "%s has %d bytes; 1 to %d are allowed", path, len(body), layout.MaxMetadataBytes)
		}
	}
	return b.checkPlan()
}

// checkPlan holds the rollout against its own plan.
func (b *Bundle) checkPlan() error {
	plan, err := b.Plan()
	switch {
	case err != nil:
		return strict.Refuse("rollout.plan", "%v", err)
	case plan.Product != b.Product || plan.Build != b.Build:
		return strict.Refuse("rollout.plan.build", "is %d of %s, the bundle is about %d of %s", plan.Build, plan.Product, b.Build, b.Product)
	case b.Rollout.Stage < 0 || b.Rollout.Stage >= len(plan.Stages):
		return strict.Refuse("rollout.stage", "is %d; the plan has %d stages", b.Rollout.Stage, len(plan.Stages))
	case len(b.Rollout.Stages) != len(plan.Stages):
		return strict.Refuse("rollout.stages", "has %d entries, the plan %d", len(b.Rollout.Stages), len(plan.Stages))
	}
	for i, s := range plan.Stages {
		if b.Rollout.Stages[i].SharePPM != int(s.Share) {
			return strict.Refuse(fmt.Sprintf("rollout.stages[%d].sharePPM", i), "is %d, in the plan %d", b.Rollout.Stages[i].SharePPM, s.Share)
		}
	}
	return nil
}
