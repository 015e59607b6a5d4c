package rollouts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/signer/cli"
)

// planYAML writes a plan as its author would: a field on each line, a stage on
// each, its share in percent beside it.
func planYAML(p *rollout.Plan, comments ...string) ([]byte, error) {
	doc, err := yamlOf(p)
	if err != nil {
		return nil, err
	}
	for i := 0; i+1 < len(doc.Content); i += 2 {
		value := doc.Content[i+1]
		switch doc.Content[i].Value {
		case "stages":
			for n, s := range value.Content {
				s.Style, s.LineComment = yaml.FlowStyle, p.Stages[n].Share.String()
			}
		case "window", "budget":
			value.Style = yaml.FlowStyle
		}
	}
	doc.HeadComment = strings.Join(comments, "\n")
	return encodeYAML(doc)
}

// yamlOf gives the JSON form of a value as YAML, its fields in the same order.
func yamlOf(v any) (*yaml.Node, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	plainly(doc.Content[0])
	return doc.Content[0], nil
}

// plainly drops JSON's quotes and braces where YAML needs none.
func plainly(n *yaml.Node) {
	n.Style = 0
	for _, c := range n.Content {
		plainly(c)
	}
}

func encodeYAML(doc *yaml.Node) ([]byte, error) {
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(doc); err != nil {
		return nil, err
	}
	return out.Bytes(), enc.Close()
}

// stagesYAML writes stages, and the budget that they keep, to be pasted into a
// plan.
func stagesYAML(stages []rollout.Stage, budget rollout.Budget, sentence string) []string {
	lines := []string{}
	for _, l := range strings.Split(cli.Clean(sentence), "\n") {
		lines = append(lines, "# "+l)
	}
	lines = append(lines, "stages:")
	for _, s := range stages {
		fields := []string{fmt.Sprintf("sharePPM: %d", s.Share), "soak: " + s.Soak.String()}
		for _, f := range []struct {
			name  string
			value uint32
		}{{"minVotes", s.MinVotes}, {"approvals", s.Approvals}, {"passPPM", uint32(s.Pass)}} {
			if f.value != 0 {
				fields = append(fields, fmt.Sprintf("%s: %d", f.name, f.value))
			}
		}
		lines = append(lines, fmt.Sprintf("  - {%s} # %s, %s handsets", strings.Join(fields, ", "), s.Share, number(int64(budget.Handsets(s.Share)))))
	}
	return append(lines, fmt.Sprintf("budget: {maxHarmed: %d, fleet: %d}", budget.MaxHarmed, budget.Fleet))
}

// stagesOf reads stages of the API.
func stagesOf(v any) ([]rollout.Stage, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var in struct {
		Stages []rollout.Stage `json:"stages"`
	}
	if err := manifests.DecodeYAML(data, 1<<20, &in); err != nil {
		return nil, fmt.Errorf("the answer is not that of a Candor server: %w", err)
	}
	return in.Stages, nil
}
