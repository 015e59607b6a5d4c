package explain

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/diagnosis"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/signer/ceremony"
)

// file explains a file by what it says that it is, or by its name.
func (x *explainer) file(ctx context.Context, data []byte) (*Explained, error) {
	if private(data) {
		return &Explained{What: "private key, encrypted", Says: []string{
			"This is a person's private key, under a passphrase. It is never handed on; `candor-signer key show NAME --public` gives what is.",
		}, Findings: []diagnosis.Finding{}}, nil
	}
	if kind, ok := metadataKind(data); ok {
		return x.metadataFile(ctx, data, kind)
	}
	var head struct {
		Format string `json:"format"`
		Spec   string `json:"spec"`
	}
	readable := json.Unmarshal(data, &head) == nil
	_, inTree, _ := split(x.target)
	switch role := roleOf(x.target); {
	case head.Spec == manifests.ReleaseSpec || strings.HasPrefix(inTree, "targets/releases/"):
		return x.document(data, "release document", diagnosis.Release), nil
	case head.Spec == rollout.Spec || strings.HasPrefix(inTree, "targets/rollouts/"):
		return x.document(data, "rollouts document", rollouts), nil
	case readable && head.Format == proposalFormat:
		return x.proposal(data), nil
	case role != "" && head.Format == "":
		return x.metadataFile(ctx, data, role) // damaged, as its name says
	case strings.HasPrefix(inTree, "metadata/"):
		return x.metadataFile(ctx, data, "metadata")
	}
	return x.show(data, head.Format)
}

// private tells an encrypted private key, which nobody should have to look at.
func private(data []byte) bool {
	return bytes.HasPrefix(data, []byte("age-encryption.org/")) || bytes.HasPrefix(data, []byte("-----BEGIN AGE ENCRYPTED"))
}

func rollouts(e diagnosis.Expected, data []byte) diagnosis.Finding {
	f, _ := diagnosis.Rollouts(e, data)
	return f
}

// document is a release or rollouts document. In a tree its name has its hash.
func (x *explainer) document(data []byte, what string, judge func(diagnosis.Expected, []byte) diagnosis.Finding) *Explained {
	out := &Explained{What: what, Says: []string{}}
	if shown, err := ceremony.Show(data, x.Now); err == nil {
		out.Says = shown.Lines
	}
	e := diagnosis.Expected{Role: what, File: x.target, Now: x.Now}
	if _, inside, ok := split(x.target); ok {
		if path, hash, ok := layout.ParseTargetFile(inside); ok {
			e.Role = path
			if sum := manifests.SumSHA256(data); sum != hash {
				out.Findings = append(out.Findings, diagnosis.Finding{
					Kind: diagnosis.Mismatch, Subject: path, File: x.target,
					Words: fmt.Sprintf("its sha256 is %s…, and its name says %s…", sum.Short(), hash.Short()),
				})
			}
		}
	}
	out.Findings = append(out.Findings, judge(e, data))
	return out
}

// show is what is only put into words.
func (x *explainer) show(data []byte, format string) (*Explained, error) {
	if format == "candor-trusted-root-1" {
		return &Explained{What: "note of the root that a key directory trusts", Says: []string{string(bytes.TrimSpace(data))}, Findings: []diagnosis.Finding{}}, nil
	}
	shown, err := ceremony.Show(data, x.Now)
	if err != nil {
		return nil, err
	}
	return &Explained{What: shown.What, Says: shown.Lines, Findings: []diagnosis.Finding{{Subject: shown.What, Words: "its form holds; it is not signed"}}}, nil
}
