package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// maxPassphrase bounds what is read as a passphrase.
const maxPassphrase = 1024

// passphrases says where passphrases come from. The zero source is the terminal.
type passphrases struct {
	file string
	fd   int
	read string // what fd gave; it can be read only once
}

// get asks for the passphrase of a key.
func (p *passphrases) get(key string) (string, error) {
	switch {
	case p.file != "" && p.fd >= 0:
		return "", usagef("give --passphrase-file or --passphrase-fd, not both")
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
	return ask(fmt.Sprintf("Passphrase of key %s: ", key))
}

func (p *passphrases) fromDescriptor() (string, error) {
	if p.read != "" {
		return p.read, nil
	}
	f := os.NewFile(uintptr(p.fd), "passphrase")
	if f == nil {
		return "", usagef("--passphrase-fd %d: not an open file descriptor", p.fd)
	}
	text, err := firstLine(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("--passphrase-fd %d: %w", p.fd, err)
	}
	p.read = text
	return text, nil
}

// choose asks for the passphrase of a new key, twice on a terminal.
func (p *passphrases) choose(key string) (string, error) {
	first, err := p.get(key)
	if err != nil || p.file != "" || p.fd >= 0 {
		return first, err
	}
	second, err := ask("The same again: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passphrases differ; nothing was made")
	}
	return first, nil
}

func ask(question string) (string, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return "", usagef("no terminal to ask for a passphrase: give --passphrase-file or --passphrase-fd")
	}
	_, err = fmt.Fprint(tty, question)
	var text []byte
	if err == nil {
		text, err = term.ReadPassword(int(tty.Fd()))
		_, newline := fmt.Fprintln(tty)
		err = errors.Join(err, newline)
	}
	if err = errors.Join(err, tty.Close()); err != nil {
		return "", fmt.Errorf("read passphrase: %w", err)
	}
	return string(text), nil
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
