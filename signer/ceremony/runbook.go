package ceremony

import (
	"fmt"
	"strings"
)

// Runbook is a page to be printed and worked through, step by step.
type Runbook struct {
	Title string  `json:"title"`
	Parts []Block `json:"parts"`
}

// Block is one piece of a Runbook. One of its fields is set.
type Block struct {
	Heading string   `json:"heading,omitempty"`
	Text    string   `json:"text,omitempty"`
	Table   *Table   `json:"table,omitempty"`
	Step    *Step    `json:"step,omitempty"`
	Checks  []string `json:"checks,omitempty"` // boxes to tick
}

// Table has rows as wide as its head.
type Table struct {
	Head []string   `json:"head"`
	Rows [][]string `json:"rows"`
}

// Step is something that one person does.
type Step struct {
	Who     string   `json:"who"`
	Does    string   `json:"does"`
	Where   string   `json:"where"` // on which machine
	Command string   `json:"command,omitempty"`
	See     []string `json:"see"`   // what must be on the screen, each with a box
	Wrong   string   `json:"wrong"` // what to do if it is not
}

func (r *Runbook) heading(s string) { r.Parts = append(r.Parts, Block{Heading: s}) }

func (r *Runbook) text(format string, args ...any) {
	r.Parts = append(r.Parts, Block{Text: fmt.Sprintf(format, args...)})
}

func (r *Runbook) table(head []string, rows [][]string) {
	r.Parts = append(r.Parts, Block{Table: &Table{head, rows}})
}

func (r *Runbook) checks(lines ...string) { r.Parts = append(r.Parts, Block{Checks: lines}) }

func (r *Runbook) step(s Step) { r.Parts = append(r.Parts, Block{Step: &s}) }

// Markdown gives the page for a printer or a wiki.
func (r *Runbook) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", r.Title)
	n := 0
	for _, p := range r.Parts {
		b.WriteByte('\n')
		switch {
		case p.Heading != "":
			fmt.Fprintf(&b, "## %s\n", p.Heading)
		case p.Table != nil:
			p.Table.markdown(&b)
		case p.Step != nil:
			n++
			p.Step.markdown(&b, n)
		case p.Checks != nil:
			for _, c := range p.Checks {
				fmt.Fprintf(&b, "- [ ] %s\n", c)
			}
		default:
			b.WriteString(p.Text + "\n")
		}
	}
	return b.String()
}

func (t *Table) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "| %s |\n|%s\n", strings.Join(t.Head, " | "), strings.Repeat("---|", len(t.Head)))
	for _, row := range t.Rows {
		cells := make([]string, len(row))
		for i, c := range row {
			cells[i] = cell(c)
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
	}
}

func (s *Step) markdown(b *strings.Builder, n int) {
	fmt.Fprintf(b, "### Step %d: %s\n\n**%s**, on %s.\n", n, s.Does, s.Who, s.Where)
	if s.Command != "" {
		fmt.Fprintf(b, "\n```\n%s\n```\n", s.Command)
	}
	b.WriteByte('\n')
	for _, see := range s.See {
		fmt.Fprintf(b, "- [ ] %s\n", see)
	}
	fmt.Fprintf(b, "\n*If not:* %s\n\nDone by ______________ at ________\n", s.Wrong)
}

// Text gives the page for a terminal or a typewriter font.
func (r *Runbook) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n", strings.ToUpper(r.Title), strings.Repeat("=", len([]rune(r.Title))))
	n := 0
	for _, p := range r.Parts {
		b.WriteByte('\n')
		switch {
		case p.Heading != "":
			fmt.Fprintf(&b, "%s\n%s\n", p.Heading, strings.Repeat("-", len([]rune(p.Heading))))
		case p.Table != nil:
			p.Table.text(&b)
		case p.Step != nil:
			n++
			p.Step.text(&b, n)
		case p.Checks != nil:
			for _, c := range p.Checks {
				fmt.Fprintf(&b, "[ ] %s\n", c)
			}
		default:
			b.WriteString(p.Text + "\n")
		}
	}
	return b.String()
}

func (t *Table) text(b *strings.Builder) {
	for i, row := range t.Rows {
		if i > 0 {
			b.WriteByte('\n')
		}
		for c, head := range t.Head {
			fmt.Fprintf(b, "%-12s %s\n", head+":", row[c])
		}
	}
}

func (s *Step) text(b *strings.Builder, n int) {
	fmt.Fprintf(b, "STEP %d  %s\n  who:   %s\n  where: %s\n", n, s.Does, s.Who, s.Where)
	for line := range strings.Lines(s.Command) {
		b.WriteString("  $ " + strings.TrimSuffix(line, "\n") + "\n")
	}
	for _, see := range s.See {
		fmt.Fprintf(b, "  [ ] %s\n", see)
	}
	fmt.Fprintf(b, "  If not: %s\n  Done by ______________ at ________\n", s.Wrong)
}
