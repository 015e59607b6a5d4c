package uboot

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// patience is how long one run of a tool may take.
const patience = 30 * time.Second

// maxWords is how much of a tool's complaint is shown, in bytes.
const maxWords = 400

// run runs a tool with a bare environment and bounded output.
func (d *Driver) run(stdin string, tool string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), d.o.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, tool, append([]string{"-c", d.o.Config}, args...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	cmd.WaitDelay = time.Second
	out, words := &bounded{most: maxOutput + 1}, &bounded{most: maxWords}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), out, words
	err := cmd.Run()
	if ctx.Err() != nil {
		err = fmt.Errorf("no end within %s", d.o.Patience)
	}
	if said := strings.TrimSpace(words.String()); err != nil && said != "" {
		err = fmt.Errorf("%w: %s", err, said)
	}
	if err != nil {
		return nil, fmt.Errorf("U-Boot environment: %s: %w", tool, err)
	}
	return out.Bytes(), nil
}

func (d *Driver) print() (map[string]string, error) {
	out, err := d.run("", "fw_printenv")
	if err != nil {
		return nil, err
	}
	return parse(out, d.o.Prefix)
}

func (d *Driver) load() (*env, error) {
	vars, err := d.print()
	if err != nil {
		return nil, err
	}
	return understand(vars, d.o.Prefix, d.o.Slots)
}

// save sets all variables in one write, and reads them back: there are tools of
// this name that take another form of script, and ignore what they do not know.
func (d *Driver) save(e *env) error {
	if _, err := d.run(e.settings(d.o.Prefix), "fw_setenv", "-s", "-"); err != nil {
		return err
	}
	now, err := d.load()
	if err != nil {
		return err
	}
	if now.settings(d.o.Prefix) != e.settings(d.o.Prefix) {
		return fmt.Errorf("%w: what fw_setenv has set does not read back; it must be that of libubootenv", ErrEnvironment)
	}
	return nil
}

// bounded keeps the beginning of what is written to it.
type bounded struct {
	bytes.Buffer
	most int
}

func (b *bounded) Write(p []byte) (int, error) {
	room := b.most - b.Len()
	if _, err := b.Buffer.Write(p[:min(max(room, 0), len(p))]); err != nil {
		return 0, err
	}
	return len(p), nil
}
