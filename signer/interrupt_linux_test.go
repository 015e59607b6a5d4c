package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal gives both ends of a new one: the person's, and the program's.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

// A person who thinks better of it and presses Ctrl-C at the question for a
// passphrase gets the prompt back at once, with nothing made.
func TestInterruptAtTheQuestionEndsTheCommand(t *testing.T) {
	person, tty := terminal(t)
	keys := filepath.Join(t.TempDir(), "keys")
	cmd := exec.Command(asProgram(t), "--keys", keys, "key", "new", "alice", "--holder", "Alice", "--work-factor", "10")
	cmd.Stdin, cmd.SysProcAttr = tty, &syscall.SysProcAttr{Setsid: true, Setctty: true}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var shown []byte
	for !bytes.Contains(shown, []byte("Passphrase of key alice: ")) {
		part := make([]byte, 100)
		n, err := person.Read(part)
		if err != nil {
			t.Fatalf("%v after %q", err, shown)
		}
		shown = append(shown, part[:n]...)
	}
	if _, err := person.Write([]byte{3}); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || !bytes.Contains(stderr.Bytes(), []byte("interrupt")) {
		t.Errorf("%v, %q", err, stderr.String())
	}
	if _, err := os.Stat(keys); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the key directory: %v", err)
	}
}
