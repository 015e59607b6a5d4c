package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/candor-ota/candor/signer/cli"
	"github.com/candor-ota/candor/signer/keyring"
	"golang.org/x/term"
)

const (
	// maxPassphrase bounds what is read as a passphrase or PIN.
	maxPassphrase = 1024
	// terminalTries is how often a person may mistype a passphrase.
	terminalTries = 3
)

// passphrases says where passphrases and PINs come from. The zero source is the
// terminal.
type passphrases struct {
	file string
	fd   int
	read string // what fd gave; it can be read only once
}

func (p *passphrases) onTerminal() bool { return p.file == "" && p.fd < 0 }

// Tries is how often asking is of use: a file says the same each time.
func (p *passphrases) Tries() int {
	if p.onTerminal() {
		return terminalTries
	}
	return 1
}

// Ask gives the secret that q asks for.
func (p *passphrases) Ask(ctx context.Context, q keyring.Question) (string, error) {
	switch {
	case p.file != "" && p.fd >= 0:
		return "", cli.Usagef("give --passphrase-file or --passphrase-fd, not both")
	case p.file != "":
		f, err := os.Open(p.file)
		if err != nil {
			return "", err
		}
		text, err := firstLine(f)
		return text, errors.Join(err, f.Close())
	case p.fd >= 0:
		return p.fromDescriptor()
	}
	again := ""
	if q.Again {
		again = "That is not it. "
	}
	return ask(ctx, fmt.Sprintf("%s%s of %s: ", again, title(q.What), cli.Clean(q.Of)))
}

func (p *passphrases) fromDescriptor() (string, error) {
	if p.read != "" {
		return p.read, nil
	}
	f := os.NewFile(uintptr(p.fd), "passphrase")
	if f == nil {
		return "", cli.Usagef("--passphrase-fd %d: not an open file descriptor", p.fd)
	}
	text, err := firstLine(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("--passphrase-fd %d: %w", p.fd, err)
	}
	p.read = text
	return text, nil
}

// choose asks for the passphrase of a new key, twice on a terminal.
func (p *passphrases) choose(ctx context.Context, key string) (string, error) {
	first, err := p.Ask(ctx, keyring.Question{What: "passphrase", Of: "key " + key})
	if err != nil || !p.onTerminal() {
		return first, err
	}
	second, err := ask(ctx, "The same again: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passphrases differ; nothing was made")
	}
	return first, nil
}

// ask puts a question on the terminal and reads the answer unseen. An interrupt
// gives the terminal back as it was.
func ask(ctx context.Context, question string) (string, error) {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return "", cli.Usagef("%snobody is there to ask: standard input is no terminal; give --passphrase-file or --passphrase-fd", question)
	}
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return "", cli.Usagef("no terminal to ask for a passphrase: give --passphrase-file or --passphrase-fd")
	}
	text, err := askOn(ctx, tty, question)
	if err = errors.Join(err, tty.Close()); err != nil {
		return "", fmt.Errorf("read passphrase: %w", err)
	}
	return text, nil
}

func askOn(ctx context.Context, tty *os.File, question string) (string, error) {
	fd := int(tty.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	if _, err := fmt.Fprint(tty, question); err != nil {
		return "", err
	}
	type answer struct {
		text []byte
		err  error
	}
	typed := make(chan answer, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		typed <- answer{text, err}
	}()
	var a answer
	select {
	case a = <-typed:
	case <-ctx.Done():
		a.err = errors.Join(context.Cause(ctx), term.Restore(fd, before))
	}
	if _, err := fmt.Fprintln(tty); err != nil {
		a.err = errors.Join(a.err, err)
	}
	if a.err == nil && (len(a.text) == 0 || len(a.text) > maxPassphrase) {
		a.err = fmt.Errorf("1 to %d bytes are expected", maxPassphrase)
	}
	return string(a.text), a.err
}

func firstLine(r io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxPassphrase+1))
	if err != nil {
		return "", fmt.Errorf("read passphrase: %w", err)
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if len(line) == 0 || len(line) > maxPassphrase {
		return "", fmt.Errorf("passphrase: one line of 1 to %d bytes is expected", maxPassphrase)
	}
	return string(line), nil
}

// title is s with a first letter for the beginning of a line.
func title(s string) string { return string(bytes.ToUpper([]byte(s[:1]))) + s[1:] }
