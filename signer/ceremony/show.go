package ceremony

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/event"
	"github.com/candor-ota/candor/manifests/image"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Shown is a file in words.
type Shown struct {
	What  string   `json:"what"` // "proposal", "release", "root", …
	Lines []string `json:"lines"`
}

// Show says in words what a file of Candor's holds: a proposal, a public key, a
// release, a rollouts document, TUF metadata or an image index. It trusts nothing and
// proves nothing: signatures of metadata are listed, not checked.
func Show(data []byte, now time.Time) (*Shown, error) {
	if !bytes.HasPrefix(bytes.TrimSpace(data[:min(len(data), 64)]), []byte("{")) {
		return showIndex(data)
	}
	if len(data) > MaxProposal {
		return nil, fmt.Errorf("longer than %d bytes", MaxProposal)
	}
	var head struct {
		Format string          `json:"format"`
		Spec   string          `json:"spec"`
		Signed json.RawMessage `json:"signed"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	switch {
	case head.Format == event.Format:
		return showProposal(data, now)
	case head.Format != "":
		return showPublic(data)
	case head.Spec == manifests.ReleaseSpec:
		return showRelease(data)
	case head.Spec == rollout.Spec:
		return showRollouts(data)
	case head.Signed != nil:
		return showMetadata(data, head.Signed)
	}
	return nil, errors.New("JSON of an unknown kind; proposals, public keys, releases, rollouts and TUF metadata can be shown")
}

func showIndex(data []byte) (*Shown, error) {
	x, err := image.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("neither JSON nor an image index: %w", err)
	}
	unique := 0
	for i := range x.Rows {
		if x.Unique(i) {
			unique++
		}
	}
	p := x.Params()
	return &Shown{"index", []string{
		fmt.Sprintf("index of an image of %d bytes, sha256 %x", x.ImageSize, x.ImageSHA256),
		fmt.Sprintf("  pack of %d bytes, sha256 %x", x.PackSize, x.PackSHA256),
		fmt.Sprintf("  %d chunks, %d of them different, of %d to %d bytes", len(x.Rows), unique, p.Min, p.Max),
	}}, nil
}

func showProposal(data []byte, now time.Time) (*Shown, error) {
	p, err := Parse(data)
	if err != nil {
		return nil, err
	}
	return &Shown{"proposal", append([]string{"proposal, fingerprint " + p.Words()}, p.Describe(now)...)}, nil
}

func showPublic(data []byte) (*Shown, error) {
	k, err := keyring.ParsePublic(data)
	if err != nil {
		return nil, err
	}
	return &Shown{"public key", []string{
		fmt.Sprintf("public key %s of %s, %s", k.Name, k.Holder, k.Key.Scheme), "  id " + k.KeyID, "  fingerprint " + wordsOf(k.KeyID),
	}}, nil
}

func showRelease(data []byte) (*Shown, error) {
	r, err := manifests.ParseRelease(data)
	if err != nil {
		return nil, err
	}
	lines := []string{fmt.Sprintf("release of %s: build %d, version %s", r.Product, r.Build, r.Version)}
	return &Shown{"release", append(lines, DescribeRelease(r, nil)...)}, nil
}

func showRollouts(data []byte) (*Shown, error) {
	d, err := rollout.Parse(data)
	if err != nil {
		return nil, err
	}
	lines := []string{fmt.Sprintf("rollouts of %s, document %d", d.Product, d.Counter)}
	for _, r := range d.Rollouts {
		line := fmt.Sprintf("  %s: build %d, %s, stage %d, %s of handsets, %s", r.ID, r.Build, r.State, r.Stage, r.Share, r.Kind)
		if r.Reason != "" {
			line += ": " + r.Reason
		}
		lines = append(lines, line)
	}
	return &Shown{"rollouts", lines}, nil
}

func showMetadata(data, signed []byte) (*Shown, error) {
	var head struct {
		Type string `json:"_type"`
	}
	if err := json.Unmarshal(signed, &head); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	switch head.Type {
	case metadata.ROOT:
		m, err := readRoot(data)
		if err != nil {
			return nil, err
		}
		return shown(head.Type, m.Signed.Version, m.Signed.Expires, m.Signatures, describeRoot(m)), nil
	case metadata.TARGETS:
		m, err := readTargets(metadata.TARGETS, data)
		if err != nil {
			return nil, err
		}
		return shown(head.Type, m.Signed.Version, m.Signed.Expires, m.Signatures, targetsLines(m)), nil
	case metadata.SNAPSHOT:
		m, err := metadata.Snapshot().FromBytes(data)
		if err != nil {
			return nil, fmt.Errorf("snapshot: %w", err)
		}
		return shown(head.Type, m.Signed.Version, m.Signed.Expires, m.Signatures, metaLines(m.Signed.Meta)), nil
	case metadata.TIMESTAMP:
		m, err := metadata.Timestamp().FromBytes(data)
		if err != nil {
			return nil, fmt.Errorf("timestamp: %w", err)
		}
		lines := metaLines(m.Signed.Meta)
		if issued, ok := m.Signed.UnrecognizedFields[layout.FieldIssued].(string); ok {
			lines = append(lines, "  issued at "+issued)
		}
		return shown(head.Type, m.Signed.Version, m.Signed.Expires, m.Signatures, lines), nil
	}
	return nil, fmt.Errorf("metadata of type %q is unknown", head.Type)
}

func shown(what string, version int64, expires time.Time, sigs []metadata.Signature, lines []string) *Shown {
	all := []string{fmt.Sprintf("%s version %d, expires %s", what, version, expires.UTC().Format(time.DateTime))}
	all = append(all, lines...)
	for _, s := range sigs {
		all = append(all, fmt.Sprintf("  signature of key %s (%s), not checked here", wordsOf(s.KeyID), short(s.KeyID)))
	}
	return &Shown{what, all}
}

func targetsLines(m *targetsMeta) []string {
	lines := describeDelegations(m)
	if by, ok := m.Signed.UnrecognizedFields[nextByField].(string); ok {
		lines = append(lines, "  the next word is promised by "+by)
	}
	if builds := keptSpare(&m.Signed); len(builds) > 0 {
		lines = append(lines, fmt.Sprintf("  votes are under the spare keys for builds %v", builds))
	}
	for _, path := range slices.Sorted(maps.Keys(m.Signed.Targets)) {
		t := m.Signed.Targets[path]
		lines = append(lines, fmt.Sprintf("  %s: %d bytes, sha256 %s", path, t.Length, t.Hashes["sha256"]))
	}
	return lines
}

func metaLines(meta map[string]*metadata.MetaFiles) []string {
	lines := []string{}
	for _, name := range slices.Sorted(maps.Keys(meta)) {
		if meta[name] != nil {
			lines = append(lines, fmt.Sprintf("  %s version %d", name, meta[name].Version))
		}
	}
	return lines
}
