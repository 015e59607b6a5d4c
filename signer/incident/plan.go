package incident

import (
	"fmt"
	"strings"
)

// Kind says what has happened.
type Kind string

// The kinds of bad day.
const (
	OnlineKey   Kind = "online-key"
	EngineerKey Kind = "engineer-key"
	RootKey     Kind = "root-key"
	BadRelease  Kind = "bad-release"
	ServerOwned Kind = "server-owned"
)

// Kinds lists them in the order of the documentation.
func Kinds() []Kind { return []Kind{OnlineKey, EngineerKey, RootKey, BadRelease, ServerOwned} }

// State says whether a step is done, as far as the published tree shows.
type State string

// The states of a step.
const (
	Done   State = "done"
	Open   State = "open"
	Unseen State = "unseen" // its effect cannot be seen in what is published
)

// Command is a line to copy.
type Command struct {
	Line string `json:"line"`
	// By are those who give it, Needs how many of them have to; nobody is named
	// where it does not matter who it is.
	By    []string `json:"by,omitempty"`
	Needs int      `json:"needs,omitempty"`
}

// Step is one thing to do.
type Step struct {
	Title    string    `json:"title"`
	Who      string    `json:"who"`
	Commands []Command `json:"commands"`
	Why      string    `json:"why"`
	Seen     string    `json:"seen"` // how to see that it worked
	State    State     `json:"state"`
	Found    string    `json:"found"` // what the published tree says of it
}

// Plan is what to do, and what is known.
type Plan struct {
	Kind    Kind     `json:"kind"`
	Title   string   `json:"title"`
	Facts   []string `json:"facts"`
	Steps   []Step   `json:"steps"`
	Stops   []string `json:"stops"`  // what the steps put an end to
	Leaves  []string `json:"leaves"` // what they do not
	Until   string   `json:"until"`  // how long handsets stay exposed at most
	Owners  []string `json:"owners"` // what to tell them
	Check   string   `json:"check"`  // the command that says which steps are done
	Done    bool     `json:"done"`   // no step is open
	Checked bool     `json:"checked"`
}

// Lines are the plan for people.
func (p *Plan) Lines() []string {
	lines := append([]string{p.Title, ""}, indent("", p.Facts)...)
	for i := range p.Steps {
		lines = append(lines, p.Steps[i].lines(i+1, p.Checked)...)
	}
	lines = append(lines, "", "WHAT THIS STOPS")
	lines = append(lines, indent("- ", p.Stops)...)
	lines = append(lines, "WHAT IT DOES NOT")
	lines = append(lines, indent("- ", p.Leaves)...)
	lines = append(lines, "HOW LONG HANDSETS ARE EXPOSED", "  "+p.Until, "WHAT TO TELL THE OWNERS OF HANDSETS")
	lines = append(lines, indent("- ", p.Owners)...)
	if p.Checked {
		return lines
	}
	return append(lines, "WHICH STEPS ARE DONE, at any time and from anywhere", "  "+p.Check)
}

// CheckLines say which steps are done.
func (p *Plan) CheckLines() []string {
	lines := append([]string{p.Title, ""}, indent("", p.Facts)...)
	for i, s := range p.Steps {
		lines = append(lines, fmt.Sprintf("%-6s %d. %s: %s", s.State, i+1, s.Title, s.Found))
	}
	return append(lines, "exposed: "+p.Until)
}

func (s *Step) lines(n int, checked bool) []string {
	lines := []string{"", fmt.Sprintf("%d. %s (%s)", n, s.Title, s.Who)}
	for _, c := range s.Commands {
		lines = append(lines, "     "+c.Line+c.people())
	}
	lines = append(lines, "   Why: "+s.Why, "   It worked if: "+s.Seen)
	if s.State != Unseen || checked {
		lines = append(lines, "   Now: "+string(s.State)+"; "+s.Found)
	}
	return lines
}

// people is the comment behind a command that certain people give.
func (c *Command) people() string {
	switch {
	case len(c.By) == 0:
		return ""
	case c.Needs == len(c.By):
		return "   # " + strings.Join(c.By, ", ")
	default:
		return fmt.Sprintf("   # %d of %s", c.Needs, strings.Join(c.By, ", "))
	}
}

func indent(mark string, list []string) []string {
	out := make([]string, len(list))
	for i, l := range list {
		out[i] = "  " + mark + l
	}
	return out
}

// Markdown is the plan as a page: what signer/README.md shows of an example.
func (p *Plan) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "### `candor-signer incident %s`\n\n%s\n", p.Kind, p.Title)
	for i, s := range p.Steps {
		fmt.Fprintf(&b, "\n%d. **%s** (%s). %s", i+1, s.Title, s.Who, s.Why)
		if len(s.Commands) > 0 {
			b.WriteString("\n   ```\n")
			for _, c := range s.Commands {
				fmt.Fprintf(&b, "   %s%s\n", c.Line, c.people())
			}
			b.WriteString("   ```\n   ")
		} else {
			b.WriteString(" ")
		}
		fmt.Fprintf(&b, "It worked if %s.", s.Seen)
	}
	for _, part := range []struct {
		head string
		list []string
	}{{"Stops", p.Stops}, {"Does not stop", p.Leaves}, {"Tell owners", p.Owners}} {
		fmt.Fprintf(&b, "\n\n*%s:* %s", part.head, strings.Join(part.list, " "))
	}
	return b.String() + "\n"
}
