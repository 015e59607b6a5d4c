package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.yaml.in/yaml/v3"
)

// pipelineJobs reads the shell of each job of a pipeline of ci/.
func pipelineJobs(file string) (map[string][]string, error) {
	data, err := os.ReadFile(filepath.Join("ci", file))
	if err != nil {
		return nil, err
	}
	type job struct {
		Script []string `yaml:"script"` // GitLab
		Steps  []struct {
			Run string `yaml:"run"`
		} `yaml:"steps"` // GitHub
	}
	var page struct {
		Jobs map[string]job `yaml:"jobs"`
		Rest map[string]any `yaml:",inline"`
	}
	if err := yaml.Unmarshal(data, &page); err != nil {
		return nil, err
	}
	if page.Jobs == nil {
		page.Jobs = map[string]job{}
		for name, value := range page.Rest {
			if fields, ok := value.(map[string]any); ok && fields["script"] != nil {
				text, err := yaml.Marshal(value)
				if err != nil {
					return nil, err
				}
				var j job
				if err := yaml.Unmarshal(text, &j); err != nil {
					return nil, err
				}
				page.Jobs[name] = j
			}
		}
	}
	out := map[string][]string{}
	for name, j := range page.Jobs {
		out[name] = j.Script
		for _, s := range j.Steps {
			if s.Run != "" {
				out[name] = append(out[name], s.Run)
			}
		}
	}
	return out, nil
}

var pipelines = []string{"github-actions.yaml", "gitlab-ci.yaml"}

// Every command of the examples is there, with these flags and arguments.
func TestPipelinesUseCommandsThatExist(t *testing.T) {
	ours := regexp.MustCompile(`candor-signer ([^|;>\n]*)`)
	for _, file := range pipelines {
		jobs, err := pipelineJobs(file)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		found := 0
		for _, scripts := range jobs {
			for _, script := range scripts {
				for _, line := range ours.FindAllStringSubmatch(script, -1) {
					commandExists(t, strings.ReplaceAll(line[1], `"`, ""))
					found++
				}
			}
		}
		if found != 6 {
			t.Errorf("%s: %d commands; expected build, open, show, list, publish and expiring", file, found)
		}
	}
}

// pipeline writes the parts of a job that use candor-signer as a shell script:
// pipeline FILE JOB SCRIPT.
func pipeline(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: pipeline FILE JOB SCRIPT")
	}
	jobs, err := pipelineJobs(args[0])
	ts.Check(err)
	text := "set -eu\n"
	for _, script := range jobs[args[1]] {
		if strings.Contains(script, "candor-signer") || strings.HasPrefix(script, "export ") {
			text += script + "\n"
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(text), 0o600))
}
