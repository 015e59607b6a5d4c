package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	"github.com/candor-ota/candor/scripts/browser"
)

// shots writes a picture of each story, light, dark and on a phone, and fails
// where the browser tests do.
func shots(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("shots takes the directory for the pictures")
	}
	dir, err := filepath.Abs(args[0])
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-timeout=20m", "-run=^TestEveryStory", "./scripts/browser", "-shots", dir)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

// The pictures of README.md: where they are kept, and what they may weigh.
const (
	pictures     = "server/dashboard/screenshots"
	maxPictures  = 1_500_000 // bytes, all together: everybody who clones has them
	pictureWidth = 1360
	pictureTall  = 850
)

// screenshots takes the pictures of README.md from the demo, while it runs.
func screenshots(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "candor-screenshots-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	program := filepath.Join(dir, "demo")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "./scripts/cmd/demo").CombinedOutput(); err != nil {
		return fmt.Errorf("go build ./scripts/cmd/demo: %w: %s", err, out)
	}
	if err := os.MkdirAll(pictures, 0o755); err != nil {
		return err
	}
	c, err := browser.Start(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := during(ctx, c, []string{program, "--keep", "--wait", "--soak=15s"}, goodBuild); err != nil {
		return fmt.Errorf("the demo: %w", err)
	}
	if err := during(ctx, c, []string{program, "--keep", "--wait", "--bad-build", "--soak=2s"}, badBuild); err != nil {
		return fmt.Errorf("the demo with a bad build: %w", err)
	}
	return weigh()
}

// during runs the demo, signs in when it waits for somebody, takes pictures, and
// ends it.
func during(ctx context.Context, c *browser.Chromium, command []string, take func(*browser.Page, string) error) (err error) {
	demo := exec.CommandContext(ctx, command[0], command[1:]...)
	demo.Stderr = os.Stderr
	demo.Cancel = func() error { return demo.Process.Signal(os.Interrupt) } // it ends its server itself
	said, err := demo.StdoutPipe()
	if err != nil {
		return err
	}
	if err := demo.Start(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, breakOff(demo)) }()
	address, token, err := invited(said)
	if err != nil {
		return err
	}
	p, err := c.Fresh()
	if err != nil {
		return err
	}
	defer p.Close()
	if err := p.Scale(pictureWidth, pictureTall, 1.5); err != nil {
		return err
	}
	if err := signIn(p, address, token); err != nil {
		return err
	}
	return take(p, address)
}

// breakOff ends a demo, which says that it did not come to its end.
func breakOff(demo *exec.Cmd) error {
	gone := demo.Process.Signal(os.Interrupt)
	if errors.Is(gone, os.ErrProcessDone) {
		gone = nil
	}
	err := demo.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = nil
	}
	return errors.Join(gone, err)
}

var (
	watchAt    = regexp.MustCompile(`Watch it at (http\S+)`)
	operatedBy = regexp.MustCompile(`token of olga:\s+(\S+)`)
	waits      = regexp.MustCompile(`sign in at http`)
)

// invited reads what the demo says until it waits for somebody to sign in; the
// rest is only shown.
func invited(said interface{ Read([]byte) (int, error) }) (address, token string, err error) {
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		line := lines.Text()
		fmt.Println(line)
		if m := watchAt.FindStringSubmatch(line); m != nil {
			address = m[1]
		}
		if m := operatedBy.FindStringSubmatch(line); m != nil {
			token = m[1]
		}
		if waits.MatchString(line) && address != "" && token != "" {
			go func() {
				for lines.Scan() {
					fmt.Println(lines.Text())
				}
			}()
			return address, token, nil
		}
	}
	return "", "", errors.Join(errors.New("it never waited for anybody to sign in"), lines.Err())
}

func signIn(p *browser.Page, address, token string) error {
	if err := p.Open(address + "/"); err != nil {
		return err
	}
	field, err := p.Find("textbox", "^API token")
	if err != nil {
		return err
	}
	if err := field.Fill(token); err != nil {
		return err
	}
	button, err := p.Find("button", "^Sign in")
	if err != nil {
		return err
	}
	return button.Click()
}

// rollout goes to the page of the demo's only rollout.
func rollout(p *browser.Page, address string) error {
	return p.Until("the rollout", func() (bool, error) {
		id, err := browser.Eval[string](p, `fetch('/v1/rollouts').then(r => r.json()).then(l => l.rollouts.length ? l.rollouts[0].id : '')`)
		if err != nil || id == "" {
			return false, err
		}
		return true, p.Open(address + "/rollouts/" + id)
	})
}

// goodBuild takes the pictures of a rollout that moves.
func goodBuild(p *browser.Page, address string) error {
	if err := rollout(p, address); err != nil {
		return err
	}
	if err := slowly(p, `stage 3 of 4`); err != nil {
		return err
	}
	if err := slowly(p, `failures? in [1-4]\d outcomes`); err != nil {
		return err
	}
	for _, one := range []struct{ name, path string }{{"rollout", ""}, {"overview", "/"}, {"release", "/products/xiaomi-optin/releases/42"}, {"keys", "/keys"}} {
		if one.path != "" {
			if err := p.Open(address + one.path); err != nil {
				return err
			}
		}
		if err := twice(p, one.name); err != nil {
			return err
		}
	}
	return nil
}

// badBuild takes the picture of one that halted by itself.
func badBuild(p *browser.Page, address string) error {
	if err := rollout(p, address); err != nil {
		return err
	}
	if err := slowly(p, `Halted · stage`); err != nil {
		return err
	}
	return twice(p, "halted")
}

// slowly is Says with the patience that a rollout of the demo takes.
func slowly(p *browser.Page, pattern string) error {
	var err error
	for began := time.Now(); time.Since(began) < 8*time.Minute; {
		if _, err = p.Says(pattern); err == nil {
			return nil
		}
	}
	return err
}

// twice takes a picture of the page by day and by night.
func twice(p *browser.Page, name string) error {
	if err := p.Until(name+" to be shown", func() (bool, error) {
		return browser.Eval[bool](p, "!!document.querySelector('h1') && !document.querySelector('[aria-busy=true]')")
	}); err != nil {
		return err
	}
	for _, theme := range []string{"light", "dark"} {
		if err := errors.Join(p.Prefer("prefers-color-scheme", theme), p.Painted(), p.Painted()); err != nil {
			return err
		}
		shot, err := p.WebP(80)
		if err != nil {
			return err
		}
		file := filepath.Join(pictures, name+"-"+theme+".webp")
		if err := os.WriteFile(file, shot, 0o644); err != nil {
			return err
		}
		fmt.Printf("%s: %d kB\n", file, len(shot)/1000)
	}
	return nil
}

// weigh refuses pictures that are too heavy to be kept with the sources.
func weigh() error {
	files, err := filepath.Glob(filepath.Join(pictures, "*.webp"))
	if err != nil {
		return err
	}
	sum := int64(0)
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			return err
		}
		sum += info.Size()
	}
	if sum > maxPictures {
		return fmt.Errorf("the pictures in %s weigh %d bytes; at most %d", pictures, sum, maxPictures)
	}
	return nil
}
