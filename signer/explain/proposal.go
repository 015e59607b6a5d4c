package explain

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/candor-ota/candor/manifests/diagnosis"
	"github.com/candor-ota/candor/signer/ceremony"
)

// SignCommand is what is advised to those who have yet to sign a proposal.
const SignCommand = "candor-signer event sign"

const (
	proposalFormat = "candor-proposal-1"
	proposalWords  = "proposal, on its way between those who sign"
)

// draft is as much of a proposal as says who may sign what. It is read
// generously: whether the whole of it holds is for package ceremony to say.
type draft struct {
	Base struct {
		Roots   []string `json:"roots"`
		Targets string   `json:"targets"`
	} `json:"base"`
	Roles []struct {
		Name       string                `json:"name"`
		Signed     json.RawMessage       `json:"signed"`
		Signatures []diagnosis.Signature `json:"signatures"`
	} `json:"roles"`
}

// proposal explains what is still to be signed, and by whom.
func (x *explainer) proposal(data []byte) *Explained {
	out := &Explained{What: proposalWords, Says: []string{}}
	shown, refused := ceremony.Show(data, x.Now)
	if refused == nil {
		out.Says = shown.Lines
	}
	var d draft
	if err := json.Unmarshal(data, &d); err == nil {
		out.Findings = x.roles(&d)
	}
	if refused != nil && !slices.ContainsFunc(out.Findings, func(f diagnosis.Finding) bool { return f.Kind != diagnosis.Holds && !waits(f) }) {
		out.Findings = append(out.Findings, diagnosis.Finding{Kind: diagnosis.Rule, Subject: "proposal", File: x.target, Words: refused.Error()})
	}
	return out
}

// roles judges the signatures of each role as they would be once it is published.
func (x *explainer) roles(d *draft) []diagnosis.Finding {
	var root, targets *diagnosis.File
	tables := map[string][]diagnosis.Table{}
	adopt := func(f *diagnosis.File, what string) {
		if f == nil {
			return
		}
		for name, t := range f.Roles {
			t.By = fmt.Sprintf("%s version %d", what, f.Version)
			tables[name] = []diagnosis.Table{t}
		}
	}
	judge := func(role string, text []byte) *diagnosis.File {
		f, _ := (diagnosis.Expected{Role: role, Now: x.Now}).Judge(text)
		return f
	}
	for _, text := range d.Base.Roots {
		root = judge("root", []byte(text))
	}
	adopt(root, "root")
	targets = judge("targets", []byte(d.Base.Targets))
	adopt(targets, "targets")
	var out []diagnosis.Finding
	for _, r := range d.Roles {
		text := signedText(r.Signed)
		file, err := json.Marshal(map[string]any{"signatures": r.Signatures, "signed": text})
		if err != nil {
			out = append(out, diagnosis.Finding{Kind: diagnosis.Malformed, Subject: r.Name, File: x.target, Words: "what is to be signed is not JSON"})
			continue
		}
		e := diagnosis.Expected{Role: r.Name, File: x.target, Now: x.Now, Tables: tables[r.Name]}
		var found []diagnosis.Finding
		if r.Name == "root" {
			_, found = e.JudgeRoot(root, file)
			adopt(judge("root", file), "root")
		} else {
			if _, found = e.Judge(file); r.Name == "targets" {
				adopt(judge("targets", file), "targets")
			}
		}
		out = append(out, x.asProposal(found)...)
	}
	return out
}

// signedText is the JSON that is to be signed, which stands as a text.
func signedText(raw json.RawMessage) json.RawMessage {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return raw
	}
	return json.RawMessage(text)
}

// waits tells a proposal that only lacks signatures from one with a bad one.
func waits(f diagnosis.Finding) bool {
	if f.Kind != diagnosis.Threshold && f.Kind != diagnosis.RootChain {
		return false
	}
	return !slices.ContainsFunc(f.Signers, func(s diagnosis.Signer) bool {
		return s.State == diagnosis.OverOther || s.State == diagnosis.Foreign
	})
}

// asProposal says what to do about a proposal that waits: to sign it.
func (x *explainer) asProposal(found []diagnosis.Finding) []diagnosis.Finding {
	for i := range found {
		if f := &found[i]; waits(*f) {
			f.Kind = diagnosis.Threshold
			f.Do = "Send it to those who are missing; each of them reads it and signs."
			f.Command = SignCommand + " " + quoted(x.target) + " --key NAME"
		}
	}
	return found
}

// quoted makes a path one word of a shell.
func quoted(path string) string {
	if strings.Trim(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/") == "" && path != "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
