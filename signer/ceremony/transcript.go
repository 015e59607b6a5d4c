package ceremony

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A transcript is a page for people about what was signed, with the proposal
// itself at its end. Everything on the page follows from the proposal, so it is
// verified by writing it again: whoever changes a word of it is found out, and
// what it says of people is what they signed with their own keys.

const (
	transcriptOpen  = "```candor-proposal\n"
	transcriptClose = "```\n"
	// MaxTranscript bounds a transcript that is read: a proposal in base64, and
	// the page.
	MaxTranscript = 2*MaxProposal + 1<<20
)

// ErrTranscript means that a transcript does not say what its proposal says.
var ErrTranscript = errors.New("the page was changed: it is not what its proposal says")

// Transcript writes the page of a finished proposal, as Markdown. The same
// proposal gives the same bytes.
func (p *Proposal) Transcript() ([]byte, error) {
	files, err := p.Submission()
	if err != nil {
		return nil, err
	}
	data, err := p.Marshal()
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Transcript: %s\n\n", p.title())
	fmt.Fprintf(&b, "Proposal of %s, fingerprint **%s** (`%s`).\n\n", p.Created, p.Words(), p.Hash())
	b.WriteString("## What was signed\n\n```\n")
	for _, line := range p.Describe(p.lastWord()) {
		b.WriteString(plainLine(line) + "\n")
	}
	b.WriteString("```\n\n## Who signed\n\n| when | who | key | signed | images |\n|---|---|---|---|---|\n")
	for _, s := range p.sortedStatements() {
		fmt.Fprintf(&b, "| %s | %s | %s (`%s`) | %s | %s |\n", s.At, cell(s.Holder), wordsOf(s.KeyID), s.KeyID, strings.Join(p.rolesSigned(s.KeyID), ", "), imageWords[s.Image])
	}
	b.WriteString("\nEach line is a statement that its person signed with that key, over the hash of every part of the proposal. Times are what the signers' own clocks said.\n")
	b.WriteString("\n## What came of it\n\n| file | bytes | sha256 |\n|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(files.Metadata)) {
		fmt.Fprintf(&b, "| metadata/%s | %d | `%s` |\n", name, len(files.Metadata[name]), hexSum(files.Metadata[name]))
	}
	for _, path := range slices.Sorted(maps.Keys(files.Targets)) {
		fmt.Fprintf(&b, "| targets/%s | %d | `%s` |\n", path, len(files.Targets[path]), hexSum(files.Targets[path]))
	}
	b.WriteString("\n## To verify this page\n\n```\ncandor-signer ceremony verify-transcript FILE --root 1.root.json\n```\n\nBelow is the proposal with every signature, from which the page was written and can be written again.\n\n")
	b.WriteString(transcriptOpen)
	for line := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString(data)), 76) {
		b.Write(line)
		b.WriteByte('\n')
	}
	b.WriteString(transcriptClose)
	return []byte(b.String()), nil
}

// ReadTranscript verifies a page and gives the proposal that it is about. A page
// that says anything else than its proposal is ErrTranscript. Whose system it
// belongs to is for TrustedBy to say.
func ReadTranscript(page []byte) (*Proposal, error) {
	if len(page) > MaxTranscript {
		return nil, fmt.Errorf("transcript: %d bytes; at most %d are read", len(page), MaxTranscript)
	}
	_, rest, ok := bytes.Cut(page, []byte(transcriptOpen))
	body, after, closed := bytes.Cut(rest, []byte(transcriptClose))
	if !ok || !closed || len(after) != 0 {
		return nil, errors.New("transcript: it does not end with its proposal; get the whole file")
	}
	data, err := base64.StdEncoding.DecodeString(string(body))
	if err != nil {
		return nil, fmt.Errorf("transcript: its proposal: %w", err)
	}
	p, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("transcript: %w", err)
	}
	again, err := p.Transcript()
	if err != nil {
		return nil, fmt.Errorf("transcript: %w", err)
	}
	if !bytes.Equal(page, again) {
		return nil, fmt.Errorf("transcript: %w (line %d)", ErrTranscript, differs(page, again))
	}
	return p, nil
}

// differs gives the number of the first line that is not the same.
func differs(a, b []byte) int {
	x, y := bytes.Split(a, []byte("\n")), bytes.Split(b, []byte("\n"))
	for i := range min(len(x), len(y)) {
		if !bytes.Equal(x[i], y[i]) {
			return i + 1
		}
	}
	return min(len(x), len(y)) + 1
}

var imageWords = map[Image]string{
	ImageNone: "–", ImageBuilder: "builder", ImageRecomputed: "recomputed", ImageWithout: "NOT LOOKED AT",
}

func (p *Proposal) title() string {
	t := string(p.Kind)
	if p.Product != "" {
		t += " of " + string(p.Product)
	}
	if p.Build != 0 {
		t += fmt.Sprintf(" build %d", p.Build)
	}
	return t
}

// lastWord is when the last signer signed: "in N days" on the page counts from
// there.
func (p *Proposal) lastWord() time.Time {
	var last time.Time
	for _, s := range p.Statements {
		if at, err := time.Parse(time.RFC3339, s.At); err == nil && at.After(last) {
			last = at
		}
	}
	return last
}

// sortedStatements are in the order of their times; copies that were joined in
// another order give the same page.
func (p *Proposal) sortedStatements() []Statement {
	all := slices.Clone(p.Statements)
	slices.SortFunc(all, func(a, b Statement) int { return strings.Compare(a.At+a.KeyID, b.At+b.KeyID) })
	return all
}

func (p *Proposal) rolesSigned(keyID string) []string {
	var out []string
	for i, r := range p.view.roles {
		if p.signedBy(i, keyID) {
			out = append(out, fmt.Sprintf("%s %d", r.name, r.version))
		}
	}
	return out
}

// cell keeps a name from ending its column.
func cell(s string) string { return strings.ReplaceAll(plainLine(s), "|", `\|`) }

// plainLine keeps text of others (notes, names) on its line and out of the
// fence around it.
func plainLine(s string) string {
	return strings.NewReplacer("\n", " ", "\r", " ", "```", "'''").Replace(s)
}
