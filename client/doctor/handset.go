package doctor

import (
	"fmt"
	"os/exec"
	"path/filepath"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/client/handset"
	"github.com/candor-ota/candor/client/outbox"
)

// leastRoom is the room, in bytes, that the agent's own files need in any case:
// metadata, journals, receipts.
const leastRoom = 32 << 20

// update examines the journal and what the agent remembers.
func (x *exam) update() {
	g, err := agent.Look(x.disk, x.Config.State)
	if err != nil {
		x.bad("journal", "Nothing has to be done: the agent asks the boot loader where an update stood, and begins it anew.", "candor-client once", "%s", err)
	}
	switch g.State {
	case agent.Idle:
		if err == nil {
			x.good("journal", "no update is under way")
		}
	case agent.Failed, agent.RolledBack:
		x.bad("journal", "It is not tried again by itself unless the maker allows it; you may.", "candor-client retry "+g.Build.String(),
			"build %s did not work here and was taken back (%s)", g.Build, either(g.Reason, "no reason is known"))
	default:
		x.good("journal", "an update from build %s to %s is under way: %s", g.From, g.Build, g.State)
	}
	if s := g.Last; s.Sentence != "" {
		words := s.Sentence
		if s.Code == agent.FailureCode {
			x.bad("last look", either(s.Can, "See what it says; the next look for news tries again."), "candor-client once", "%s", words)
		} else {
			if s.Can != "" {
				words += " You can " + s.Can + "."
			}
			x.good("last look", "%s", words)
		}
	}
	if g.Floor > 0 {
		x.good("security floor", "builds below security epoch %d are not installed", g.Floor)
	}
	if g.NextBy != nil && x.now.After(g.NextBy.Time) {
		x.bad("maker", "Ask the maker; a maker who is silent, or is kept from reaching you, looks the same.", "", "news were promised by %s and have not come", g.NextBy)
	}
	for _, w := range g.Warnings {
		x.bad("maker", "Ask the maker.", "", "%s", w)
	}
}

func either(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// slots examines what the boot loader says.
func (x *exam) slots() {
	driver := x.Config.Boot.Driver
	slots, err := handset.Slots(x.Config)
	if err != nil {
		x.bad("boot loader", "Check `boot` in the configuration against this board; see client/README.md.", "", "%s: %s", driver, err)
	}
	good := 0
	for _, s := range slots {
		if s.State.Good {
			good++
		}
		x.slot(s)
	}
	if err == nil && good == 0 {
		x.bad("boot loader", "A slot becomes good once its build has proved itself; look again after that.", "candor-client status", "%s: no slot is marked good, so there is none to fall back to", driver)
	} else if err == nil {
		x.good("boot loader", "%s answers; %d of %d slots are good", driver, good, len(slots))
	}
}

func (x *exam) slot(s handset.Slot) {
	subject := "slot " + string(s.Name)
	holds := "nothing is known of what it holds"
	if s.Metadata.Build > 0 {
		holds = fmt.Sprintf("build %s (%s)", s.Metadata.Build, s.Metadata.Version)
	}
	is := "is not bootable: it is free for an update"
	switch {
	case s.State.Good:
		is = "is good"
	case s.State.Armed():
		is = fmt.Sprintf("is armed and has %d tries left", s.State.TriesLeft)
	case s.State.Bootable:
		is = "is bootable and has not proved itself"
	}
	if s.Booted {
		is += ", and runs"
	}
	if s.Booted && s.Metadata.Product != "" && s.Metadata.Product != x.Config.Product {
		x.bad(subject, "Correct `product` in the configuration.", "", "it runs %s, and the configuration is for %s", s.Metadata.Product, x.Config.Product)
		return
	}
	x.good(subject, "%s; %s", holds, is)
}

// machine examines battery, room and programs.
func (x *exam) machine() {
	c, err := x.Device.Conditions()
	switch {
	case err != nil:
		x.bad("device", "Until it can be read, no update begins.", "", "%s", err)
	case c.FreeBytes < leastRoom:
		x.bad("storage", "Free some room where the agent keeps its files.", "df -h "+x.Config.State, "%d MB are free in %s; the agent's own files need up to %d", c.FreeBytes>>20, x.Config.State, leastRoom>>20)
	default:
		x.good("storage", "%d MB are free in %s", c.FreeBytes>>20, x.Config.State)
		x.good("device", "battery %d %%, charging: %t; metered network: %t", c.BatteryPercent, c.Charging, c.Metered)
	}
	programs := 0
	for _, list := range [][][]string{
		x.Config.Health, x.Config.Hooks.PreCheck, x.Config.Hooks.PreInstall, x.Config.Hooks.PostInstall, x.Config.Hooks.PreReboot, x.Config.Hooks.PostCommit,
		{x.Config.Metered},
		{x.Config.Boot.Reboot},
	} {
		for _, command := range list {
			if len(command) == 0 {
				continue
			}
			if _, err := exec.LookPath(command[0]); err != nil {
				x.bad("programs", "Install it, or correct the configuration: an update waits for it, or falls back without it.", "", "%s", err)
				continue
			}
			programs++
		}
	}
	x.good("programs", "%d of the integrator's programs are there", programs)
}

// reports examines consent, what waits to be sent, and the owner's receipts.
func (x *exam) reports() {
	g, err := outbox.Look(x.disk, filepath.Join(x.Config.State, "outbox"))
	if err != nil {
		x.bad("reports", "It is set aside at the next start, and nothing is reported until you agree again.", "candor-client consent show", "%s", err)
	}
	switch {
	case g.On && g.ByName:
		x.good("reports", "lab mode: outcomes are reported by name; %d wait", g.Waiting)
	case g.On:
		x.good("reports", "outcomes are reported, unlinkably, as you asked; %d wait", g.Waiting)
	case err == nil:
		x.good("reports", "off: nothing is reported")
	}
	if g.On && x.Config.Credential == "" {
		x.bad("reports", "Name the credential in the configuration, or turn reporting off.", "candor-client consent off", "reporting is on, and the configuration names no credential")
	}
	for _, why := range g.Refused {
		x.bad("reports", "Turn reporting off and on again, or ask the maker to have the credential checked.", "candor-client consent show", "%s", why)
	}
	if g.Withdrawals > 0 {
		x.good("reports", "%d words that reporting is off have not reached the service yet; they are sent at the next look for news", g.Withdrawals)
	}
	if x.Receipts == nil {
		return
	}
	if entries, err := x.Receipts(); err != nil {
		x.bad("receipts", "The log is set aside at the next entry, and a new one says so. If you keep a copy, compare.", "candor-client receipts --verify", "%s", err)
	} else {
		x.good("receipts", "the chain of %d entries holds", entries)
	}
}

// Lines are the report as people read it.
func (r Report) Lines() []string {
	var lines []string
	for _, f := range r.Findings {
		lines = append(lines, f.Lines()...)
	}
	last := "Nothing is wrong."
	if !r.Fine {
		last = "Something is wrong: see the lines that begin with PROBLEM."
	}
	return append(lines, "", last)
}
