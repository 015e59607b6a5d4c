package world

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
)

// People of the world. The first three hold the root, the others are engineers.
var people = []struct{ key, name string }{
	{"alice", "Alice Chen"}, {"bob", "Bob Wu"}, {"carol", "Carol Lin"}, {"dora", "Dora Fang"}, {"emil", "Emil Zhou"},
}

func (w *World) engineers() []string {
	if len(w.Engineers) == 0 {
		return []string{"dora", "emil"}
	}
	return w.Engineers
}

// Ceremony makes everybody's keys, the root of trust and one product, and
// keeps the root that handsets leave the factory with in 1.root.json.
func (w *World) Ceremony(ctx context.Context, product manifests.Product) error {
	if err := w.MakeKeys(ctx); err != nil {
		return err
	}
	return w.ceremony(ctx, product)
}

// MakeKeys makes everybody's keys, with public files such as alice.pub.
func (w *World) MakeKeys(ctx context.Context) error {
	for _, p := range people {
		if _, err := w.Exec(ctx, "signer", "key", "new", p.key, "--holder", p.name, "--work-factor", "12", "--passphrase-file", "pass"); err != nil {
			return err
		}
		public, err := w.Exec(ctx, "signer", "key", "show", p.key, "--public")
		if err != nil {
			return err
		}
		if err := os.WriteFile(w.Path(p.key+".pub"), public, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (w *World) ceremony(ctx context.Context, product manifests.Product) error {
	if _, err := w.Exec(ctx, "signer", "init", "--root-key", "alice.pub", "--root-key", "bob.pub", "--root-key", "carol.pub",
		"--threshold", "2", "--online", "data/online-keys.json"); err != nil {
		return err
	}
	if err := w.signAndSubmit(ctx, "init.proposal.json", "alice", "bob"); err != nil {
		return err
	}
	if err := w.Settle(ctx); err != nil {
		return err
	}
	if err := w.AddProduct(ctx, product); err != nil {
		return err
	}
	if err := w.Settle(ctx); err != nil {
		return err
	}
	var root []byte
	if err := w.Call(ctx, http.MethodGet, "/metadata/1.root.json", nil, &root); err != nil {
		return err
	}
	return os.WriteFile(w.Path("1.root.json"), root, 0o644)
}

// AddProduct delegates a product to the engineers.
func (w *World) AddProduct(ctx context.Context, product manifests.Product) error {
	if _, err := w.Exec(ctx, "signer", "product", "add", string(product), "--engineer", "dora.pub", "--engineer", "emil.pub", "--threshold", "2", "--server", w.Server); err != nil {
		return err
	}
	return w.signAndSubmit(ctx, string(product)+".proposal.json", "alice", "bob", "dora", "emil")
}

func (w *World) signAndSubmit(ctx context.Context, proposal string, keys ...string) error {
	for _, k := range keys {
		if _, err := w.Exec(ctx, "signer", "event", "sign", proposal, "--key", k, "--passphrase-file", "pass", "--yes"); err != nil {
			return err
		}
	}
	return w.Submit(ctx, proposal)
}

// Submit hands a finished proposal without images to the server.
func (w *World) Submit(ctx context.Context, proposal string) error {
	_, err := w.Exec(ctx, "signer", "event", "publish", proposal, "--server", w.Server, "--token-file", "token")
	return err
}

// Release builds a release from its author's YAML and one system image, with
// patches from older ones, has two engineers sign it, each from the images, and
// submits it.
func (w *World) Release(ctx context.Context, product manifests.Product, build manifests.Build, manifest []byte, image string, older ...string) error {
	if err := w.SignRelease(ctx, product, build, manifest, image, older...); err != nil {
		return err
	}
	if err := w.SubmitRelease(ctx, product, build); err != nil {
		return err
	}
	return os.RemoveAll(w.Path("out"))
}

// SignRelease is Release without the submission; what is to be submitted is
// left in out.
func (w *World) SignRelease(ctx context.Context, product manifests.Product, build manifests.Build, manifest []byte, image string, older ...string) error {
	if err := os.WriteFile(w.Path("release.yaml"), manifest, 0o644); err != nil {
		return err
	}
	keys, err := w.Exec(ctx, "server", "vote-keys", string(product), build.String(), "--data", w.Path("data"), "--json")
	if err != nil {
		return err
	}
	if err := os.WriteFile(w.Path("vote-keys.json"), keys, 0o644); err != nil {
		return err
	}
	system := "system=" + image
	proposal := filepath.Join("out", fmt.Sprintf("%s-%d.proposal.json", product, build))
	var from []string
	for _, o := range older {
		from = append(from, "--from", "system="+o)
	}
	for _, args := range [][]string{
		append([]string{"release", "build", "release.yaml", "--image", system, "--vote-keys", "vote-keys.json", "--server", w.Server, "--out", "out"}, from...),
		{"event", "sign", proposal, "--key", w.engineers()[0], "--builder", "--passphrase-file", "pass", "--yes"},
		append([]string{"event", "sign", proposal, "--key", w.engineers()[1], "--image", system, "--passphrase-file", "pass", "--yes"}, from...),
	} {
		if _, err := w.Exec(ctx, "signer", args...); err != nil {
			return err
		}
	}
	return nil
}

// SubmitRelease uploads and submits a release that was signed. It may be
// repeated.
func (w *World) SubmitRelease(ctx context.Context, product manifests.Product, build manifests.Build) error {
	proposal := filepath.Join("out", fmt.Sprintf("%s-%d.proposal.json", product, build))
	_, err := w.Exec(ctx, "signer", "event", "publish", proposal, "--server", w.Server, "--token-file", "token", "--blobs", "out")
	return err
}

// SpareVotes has the engineers move votes on a build to its spare keys.
func (w *World) SpareVotes(ctx context.Context, product manifests.Product, build manifests.Build) error {
	if _, err := w.Exec(ctx, "signer", "votes", "spare", string(product), build.String(), "--server", w.Server); err != nil {
		return err
	}
	return w.signAndSubmit(ctx, fmt.Sprintf("%s-%d-spare-votes.proposal.json", product, build), "dora", "emil")
}

// Published gives a release as every handset can read it.
func (w *World) Published(ctx context.Context, product manifests.Product, build manifests.Build) (*manifests.Release, error) {
	var list struct {
		Releases []struct {
			Build  manifests.Build  `json:"build"`
			SHA256 manifests.SHA256 `json:"sha256"`
		} `json:"releases"`
	}
	if err := w.Call(ctx, http.MethodGet, "/v1/products/"+string(product)+"/releases", nil, &list); err != nil {
		return nil, err
	}
	for _, r := range list.Releases {
		if r.Build != build {
			continue
		}
		file := w.Server + "/" + layout.TargetFile(layout.ReleasePath(product, build), r.SHA256)
		get, err := http.NewRequestWithContext(ctx, http.MethodGet, file, nil)
		if err != nil {
			return nil, err
		}
		answer, err := http.DefaultClient.Do(get)
		if err != nil {
			return nil, err
		}
		doc, err := io.ReadAll(answer.Body)
		if err = errors.Join(err, answer.Body.Close()); err != nil {
			return nil, err
		}
		return manifests.ParseRelease(doc)
	}
	return nil, fmt.Errorf("build %d of %s is not published", build, product)
}

// Rollout is what the API says about a rollout.
type Rollout struct {
	ID      string `json:"id"`
	State   string `json:"state"`
	Share   int    `json:"sharePPM"`
	Stage   int    `json:"stage"`
	Reason  string `json:"reason"`
	Outlook struct {
		Sentence string `json:"sentence"`
	} `json:"outlook"`
	HaltBound struct {
		Sentence string `json:"sentence"`
	} `json:"haltBound"`
}

// Open creates a rollout from a plan and starts it: one person proposes it,
// another one approves it.
func (w *World) Open(ctx context.Context, plan *rollout.Plan) (Rollout, error) {
	var r Rollout
	if err := w.Call(ctx, http.MethodPost, "/v1/rollouts", plan, &r); err != nil {
		return r, err
	}
	if _, err := w.Change(ctx, r.ID, "propose", ""); err != nil {
		return r, err
	}
	if err := w.CallAs(ctx, w.Second, http.MethodPost, "/v1/rollouts/"+r.ID+"/approve", map[string]string{}, nil); err != nil {
		return r, err
	}
	return w.Change(ctx, r.ID, "start", "")
}

// Look asks for a rollout and what the engine makes of it.
func (w *World) Look(ctx context.Context, id string) (Rollout, error) {
	var r Rollout
	return r, w.Call(ctx, http.MethodGet, "/v1/rollouts/"+id, nil, &r)
}

// Change starts, pauses, resumes, advances or halts a rollout.
func (w *World) Change(ctx context.Context, id, action, reason string) (Rollout, error) {
	var r Rollout
	body := map[string]string{}
	if reason != "" {
		body["reason"] = reason
	}
	return r, w.Call(ctx, http.MethodPost, "/v1/rollouts/"+id+"/"+action, body, &r)
}

// ReleaseForAll publishes the example release with a pace that lets everybody
// install at once, and opens it to all.
func (w *World) ReleaseForAll(ctx context.Context, product manifests.Product, build manifests.Build, image string, older ...string) error {
	manifest, err := Example(product, build, "pace:\n  - {after: 0s, maxSharePPM: 1000000}\n")
	if err != nil {
		return err
	}
	if err := w.Release(ctx, product, build, manifest, image, older...); err != nil {
		return err
	}
	_, err = w.Open(ctx, &rollout.Plan{
		Product: product, Build: build, Channel: "stable", Kind: manifests.KindNormal,
		Deferral: manifests.Duration{Duration: 7 * 24 * time.Hour}, Stages: []rollout.Stage{{Share: manifests.WholeFleet}},
	})
	return err
}

// Example is the release of the 2014 fix as its author writes it, for another
// product, build and pace.
func Example(product manifests.Product, build manifests.Build, pace string) ([]byte, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(root, "manifests", "examples", "xiaomi-optin", "release.yaml"))
	if err != nil {
		return nil, err
	}
	text := string(data)
	begin, end := strings.Index(text, "pace:\n"), strings.Index(text, "urgency:")
	if begin < 0 || end < begin {
		return nil, errors.New("the example release has no pace")
	}
	text = text[:begin] + pace + text[end:]
	text = strings.Replace(text, "product: xiaomi-optin", "product: "+string(product), 1)
	return []byte(strings.Replace(text, "build: 42", "build: "+build.String(), 1)), nil
}
