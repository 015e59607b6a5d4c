package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/operate"
)

// The exit statuses. A pipeline branches on them, so none ever changes its
// meaning. Statuses says them in words; README.md shows the same table.
const (
	Done    = 0
	Failure = 1
	Usage   = 2
	Waits   = 3
	Halted  = 4
	People  = 5
	Network = 6
)

// Status is one line of the table.
type Status struct {
	Status int
	Means  string
	Then   string // what a pipeline does
}

// Statuses is the one table of exit statuses: in the help text, in
// README.md, and in a test of each.
var Statuses = []Status{
	{Done, "done", "go on"},
	{Failure, "refused or failed; the message says why and what to do", "stop; trying again changes nothing"},
	{Usage, "wrong use of the command, or a question that nobody is there to answer", "correct the pipeline"},
	{Waits, "not yet: a rollout has to soak, needs votes or approval, or `watch` ran out of time; or `expiring` found something to sign, or an incident has open steps", "try again later"},
	{Halted, "the watched rollout was halted", "stop, and tell people"},
	{People, "not signed by enough people yet", "try again once they have signed"},
	{Network, "the server could not be reached, or is overloaded", "try again soon"},
}

// Table is the table for the help text.
func Table() string {
	var b strings.Builder
	for _, s := range Statuses {
		fmt.Fprintf(&b, "  %d  %s\n", s.Status, s.Means)
	}
	return b.String()
}

// usageError is a mistake in the command line, as opposed to a refusal.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// Wrong marks an error as a mistake in the command line.
func Wrong(err error) error { return usageError{err} }

// Usagef makes an error that is a mistake in the command line.
func Usagef(format string, args ...any) error { return Wrong(fmt.Errorf(format, args...)) }

// exitError is an error with an exit status of its own.
type exitError struct {
	error
	status int
}

func (e exitError) Unwrap() error { return e.error }

// Exit gives an error an exit status of its own.
func Exit(err error, status int) error { return exitError{err, status} }

// StatusOf gives the exit status that an error stands for.
func StatusOf(err error) int {
	var exit exitError
	var usage usageError
	switch {
	case err == nil:
		return Done
	case errors.As(err, &exit):
		return exit.status
	case errors.As(err, &usage):
		return Usage
	case errors.Is(err, ceremony.ErrIncomplete):
		return People
	case Unreached(err):
		return Network
	}
	return Failure
}

// Unreached tells a network that failed, which may pass, from an answer.
func Unreached(err error) bool {
	var at *url.Error
	var op *net.OpError
	if errors.Is(err, context.Canceled) {
		return false
	}
	return errors.Is(err, operate.ErrAgain) || errors.As(err, &at) && at.Op != "parse" || errors.As(err, &op)
}

// String is a line of the table in README.md.
func (s Status) String() string { return fmt.Sprintf("| %d | %s | %s |", s.Status, s.Means, s.Then) }
