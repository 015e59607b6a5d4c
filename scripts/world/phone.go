package world

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/candor-ota/candor/manifests"
)

// Phone is one handset: a directory with its own slots and boot loader, in
// which the real client program runs.
type Phone struct {
	Dir   string
	world *World
}

// Factory says how a phone leaves the factory.
type Factory struct {
	Dir     string // below the world's directory
	Product manifests.Product
	Server  string // the world's, if empty
	Image   string
	Build   manifests.Build
	Epoch   manifests.SecurityEpoch
	Version string
	Label   string   // YAML of its privacy label; "collects: []" if empty
	Health  []string // a check, as command and arguments
	Reports bool     // its owner lets outcomes be reported
}

// Status is what `candor-client once --json` says.
type Status struct {
	Build      manifests.Build `json:"build"`
	Slot       string          `json:"slot"`
	Downloaded int64           `json:"downloaded"`
	Waiting    bool            `json:"waiting"`
	Status     struct {
		State    string          `json:"state"`
		Code     string          `json:"code"`
		Sentence string          `json:"sentence"`
		Build    manifests.Build `json:"build"`
	} `json:"status"`
}

// NewPhone makes a phone.
func (w *World) NewPhone(ctx context.Context, f Factory) (*Phone, error) {
	p := &Phone{Dir: w.Path(f.Dir), world: w}
	if err := os.MkdirAll(p.Dir, 0o700); err != nil {
		return nil, err
	}
	if f.Server == "" {
		f.Server = w.Server
	}
	if f.Label == "" {
		f.Label = "collects: []\n"
	}
	config := map[string]any{
		"product": f.Product, "model": "redmi-1s", "region": "cn", "servers": []string{f.Server},
		"state": "state", "slots": "slots", "credential": "credential.pem",
		"report": map[string]string{"attemptWithin": "1s", "outcomeWithin": "1s", "tokenWithin": "1s", "attemptWait": "20s"},
	}
	if len(f.Health) > 0 {
		config["health"] = [][]string{f.Health}
	}
	data, err := json.Marshal(config) // JSON is YAML too
	if err != nil {
		return nil, err
	}
	for name, text := range map[string][]byte{"client.yaml": data, "label.yaml": []byte(f.Label)} {
		if err := os.WriteFile(filepath.Join(p.Dir, name), text, 0o600); err != nil {
			return nil, err
		}
	}
	if _, err := p.Exec(ctx, "create", "--factory", f.Image, "--build", f.Build.String(), "--epoch", fmt.Sprint(f.Epoch),
		"--version", f.Version, "--label", filepath.Join(p.Dir, "label.yaml"), "--root", w.Path("1.root.json")); err != nil {
		return nil, err
	}
	if !f.Reports {
		return p, nil
	}
	if _, err := w.Exec(ctx, "server", "batch", "issue", "world", "--data", w.Path("data"), "-o", filepath.Join(p.Dir, "credential.pem")); err != nil {
		return nil, err
	}
	_, err = p.Exec(ctx, "consent", "on")
	return p, err
}

// Exec runs the client program of this phone.
func (p *Phone) Exec(ctx context.Context, args ...string) ([]byte, error) {
	return p.world.Exec(ctx, "client", append(args, "--config", filepath.Join(p.Dir, "client.yaml"))...)
}

// Once lets the agent poll once and do all that follows.
func (p *Phone) Once(ctx context.Context) (Status, error) {
	var s Status
	out, err := p.Exec(ctx, "once", "--json")
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(out, &s)
}

// Status asks what runs; it makes no request.
func (p *Phone) Status(ctx context.Context) (Status, error) {
	var s Status
	out, err := p.Exec(ctx, "status", "--json")
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(out, &s)
}

// Accept gives the owner's consent to a build.
func (p *Phone) Accept(ctx context.Context, b manifests.Build) error {
	_, err := p.Exec(ctx, "accept", b.String())
	return err
}

// Image is the path of a slot's system image.
func (p *Phone) Image(slot string) string { return filepath.Join(p.Dir, "slots", slot+".system.img") }
