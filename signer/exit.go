package main

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
// meaning. exitStatuses says them in words; README.md shows the same table.
const (
	exitDone    = 0
	exitFailure = 1
	exitUsage   = 2
	exitWaits   = 3
	exitHalted  = 4
	exitPeople  = 5
	exitNetwork = 6
)

// exitStatus is one line of the table.
type exitStatus struct {
	status int
	means  string
	then   string // what a pipeline does
}

// exitStatuses is the one table of exit statuses: in the help text, in
// README.md, and in a test of each.
var exitStatuses = []exitStatus{
	{exitDone, "done", "go on"},
	{exitFailure, "refused or failed; the message says why and what to do", "stop; trying again changes nothing"},
	{exitUsage, "wrong use of the command, or a question that nobody is there to answer", "correct the pipeline"},
	{exitWaits, "not yet: a rollout has to soak, needs votes or approval, or `watch` ran out of time; or `expiring` found something to sign, or an incident has open steps", "try again later"},
	{exitHalted, "the watched rollout was halted", "stop, and tell people"},
	{exitPeople, "not signed by enough people yet", "try again once they have signed"},
	{exitNetwork, "the server could not be reached, or is overloaded", "try again soon"},
}

// exitTable is the table for the help text.
func exitTable() string {
	var b strings.Builder
	for _, s := range exitStatuses {
		fmt.Fprintf(&b, "  %d  %s\n", s.status, s.means)
	}
	return b.String()
}

// exitError is an error with an exit status of its own.
type exitError struct {
	error
	status int
}

func (e exitError) Unwrap() error { return e.error }

// statusOf gives the exit status that an error stands for.
func statusOf(err error) int {
	var exit exitError
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &exit):
		return exit.status
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, ceremony.ErrIncomplete):
		return exitPeople
	case unreached(err):
		return exitNetwork
	}
	return exitFailure
}

// unreached tells a network that failed, which may pass, from an answer.
func unreached(err error) bool {
	var at *url.Error
	var op *net.OpError
	if errors.Is(err, context.Canceled) {
		return false
	}
	return errors.Is(err, operate.ErrAgain) || errors.As(err, &at) && at.Op != "parse" || errors.As(err, &op)
}

// exitLine is a line of the table in README.md.
func exitLine(s exitStatus) string {
	return fmt.Sprintf("| %d | %s | %s |", s.status, s.means, s.then)
}
