package browser

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// axe is the script of axe-core (MPL-2.0, for tests alone).
var axe = sync.OnceValues(func() (string, error) {
	root, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	install := exec.Command(filepath.Join(filepath.Dir(strings.TrimSpace(string(root))), "scripts", "browser", "axe"))
	install.Stderr = os.Stderr
	path, err := install.Output()
	if err != nil {
		return "", fmt.Errorf("scripts/browser/axe: %w", err)
	}
	source, err := os.ReadFile(strings.TrimSpace(string(path)))
	return string(source), err
})

// Violations are what axe-core finds on the page as it stands, one line for each
// place.
func (p *Page) Violations() ([]string, error) {
	return p.violations(`{rules: {'target-size': {enabled: true}}}`)
}

// Faint are the violations that lie in colours alone: the others are the same
// in another theme, for that changes nothing else.
func (p *Page) Faint() ([]string, error) {
	return p.violations(`{runOnly: {type: 'rule', values: ['color-contrast', 'link-in-text-block']}}`)
}

func (p *Page) violations(options string) ([]string, error) {
	there, err := Eval[bool](p, "window.axe !== undefined")
	if err != nil {
		return nil, err
	}
	if !there {
		source, err := axe()
		if err != nil {
			return nil, err
		}
		if _, err := Eval[bool](p, source+"\ntrue"); err != nil {
			return nil, err
		}
	}
	return Eval[[]string](p, `axe.run(document, {resultTypes: ['violations'], ...`+options+`})
		.then(r => r.violations.flatMap(v => v.nodes.map(n => v.id + ': ' + v.help + ': ' + n.target.join(' ') + ': ' +
			(n.any[0] || n.all[0] || n.none[0] || {message: ''}).message)))`)
}
