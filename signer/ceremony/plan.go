package ceremony

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Occasion is what a ceremony is held for.
type Occasion string

// The occasions that a runbook is made for.
const (
	OccasionInit    Occasion = "init"    // the first root
	OccasionPeople  Occasion = "people"  // root holders or thresholds change
	OccasionOnline  Occasion = "online"  // the service gets new keys
	OccasionRenew   Occasion = "renew"   // root and targets live on
	OccasionProduct Occasion = "product" // a product's engineers change
)

// Occasions lists them.
func Occasions() []Occasion {
	return []Occasion{OccasionInit, OccasionPeople, OccasionOnline, OccasionRenew, OccasionProduct}
}

// PlanOptions says what a runbook is for.
type PlanOptions struct {
	Occasion Occasion
	Server   string            // address, as it stands in commands
	Product  manifests.Product // for OccasionProduct
	New      []keyring.Public  // people with keys who join; for init all of them
	Leaving  []string          // names
	// Threshold from now on; zero leaves it.
	Threshold int
	Now       time.Time
}

// planner collects what the steps need.
type planner struct {
	PlanOptions
	book    *Runbook
	signers []person // who may sign, as far as it is known
	need    int
	file    string // of the proposal
}

// person is somebody on the page.
type person struct {
	name, part, words string
}

// leastPeople is the smallest threshold that lint lets pass.
const leastPeople = 2

const (
	offline  = "an offline computer: never on a network, its own screen and keyboard"
	anywhere = "a computer with a network, which needs no key"
)

// Plan makes the runbook of a ceremony from what is in force; s is nil for
// OccasionInit alone.
func Plan(s *State, o PlanOptions) (*Runbook, error) {
	if !slices.Contains(Occasions(), o.Occasion) {
		return nil, fmt.Errorf("occasion %q: one of %v", o.Occasion, Occasions())
	}
	if (s == nil) != (o.Occasion == OccasionInit) {
		return nil, fmt.Errorf("a runbook for %q: init needs no published metadata, every other occasion needs them", o.Occasion)
	}
	p := &planner{PlanOptions: o, book: &Runbook{Title: titles[o.Occasion]}}
	if err := p.state(s); err != nil {
		return nil, err
	}
	p.people()
	p.before()
	p.steps()
	p.trouble()
	p.after()
	return p.book, nil
}

var titles = map[Occasion]string{
	OccasionInit: "Ceremony: the first root of trust", OccasionPeople: "Ceremony: other root holders", OccasionOnline: "Ceremony: new keys for the service",
	OccasionRenew: "Ceremony: root and targets live on", OccasionProduct: "Ceremony: other engineers of a product",
}

var purposes = map[Occasion]string{
	OccasionInit:    "A root file is made, which says who may sign what. Handsets leave the factory with it and believe nothing else.",
	OccasionPeople:  "The root file is replaced by one that names other people or another threshold. Handsets follow from the old to the new one by the signatures of both.",
	OccasionOnline:  "Root and targets are replaced by ones that name three new keys of the service. From then on handsets believe nothing that the old three sign.",
	OccasionRenew:   "Root, and then targets, are signed again with a later expiry. Nothing else changes.",
	OccasionProduct: "Targets is replaced by one that names other engineers of the product, and those sign its list of releases anew.",
}

// state tells what is in force, and who may sign.
func (p *planner) state(s *State) error {
	p.book.text("%s", purposes[p.Occasion])
	p.book.text("Made on %s by candor-signer.", p.Now.UTC().Format(time.DateOnly))
	p.file = string(p.Occasion) + ".proposal.json"
	if s == nil {
		p.need = p.Threshold
		for _, k := range p.New {
			p.signers = append(p.signers, person{k.Holder, "will hold root", wordsOf(k.KeyID)})
		}
		if p.need < leastPeople || p.need > len(p.New) {
			return fmt.Errorf("threshold %d of %d people: at least %d, and at most as many as there are", p.need, len(p.New), leastPeople)
		}
		return nil
	}
	root, err := rootRole(s.root, metadata.ROOT)
	if err != nil {
		return err
	}
	anchor, err := s.Anchor()
	if err != nil {
		return err
	}
	p.need = root.threshold
	p.book.heading("What is in force")
	p.book.table([]string{"what", "version", "expires", "words"}, [][]string{
		{"root", fmt.Sprint(s.root.Signed.Version), s.root.Signed.Expires.Format(time.DateOnly), wordsOf(anchor.SHA256)},
		{"targets", fmt.Sprint(s.targets.Signed.Version), s.targets.Signed.Expires.Format(time.DateOnly), "–"},
	})
	p.signers = peopleOf(root, "holds root")
	if p.Occasion == OccasionProduct {
		t, err := delegatedRole(s.targets, layout.ReleasesRole(p.Product))
		if err != nil {
			return err
		}
		p.signers = append(p.signers, peopleOf(t, "engineer of "+string(p.Product))...)
	}
	for _, who := range p.Leaving {
		if !slices.ContainsFunc(p.signers, func(x person) bool { return keyring.SameHolder(x.name, who) }) {
			return fmt.Errorf("%q leaves, but holds no key; there are %s", who, joinNames(root.people()))
		}
	}
	for _, k := range p.New {
		p.signers = append(p.signers, person{k.Holder, "is new, must sign", wordsOf(k.KeyID)})
	}
	return nil
}

func peopleOf(t roleTable, part string) []person {
	var out []person
	for _, id := range t.keyIDs {
		out = append(out, person{t.holders[id], fmt.Sprintf("%s (%d of %d)", part, t.threshold, len(t.keyIDs)), wordsOf(id)})
	}
	return out
}

func (p *planner) people() {
	p.book.heading("Who takes part")
	rows := [][]string{}
	for _, s := range p.signers {
		part := s.part
		if slices.ContainsFunc(p.Leaving, func(who string) bool { return keyring.SameHolder(who, s.name) }) {
			part += "; leaves, and may still sign as one who holds it now"
		}
		rows = append(rows, []string{s.name, part, s.words, "own, offline", "stick A"})
	}
	rows = append(rows,
		[]string{"________________", "leads: has this page, reads aloud, ticks", "–", "online", "stick A"},
		[]string{"________________", "runs the server", "–", "server", "–"},
		[]string{"________________", "witness: holds no key, signs this page", "–", "none", "–"})
	p.book.table([]string{"who", "part", "words of the key", "computer", "medium"}, rows)
	p.book.text("Nobody works at the computer of somebody else, and nobody reads out a passphrase. The file that goes round is no secret; what counts is that its words are the same for everybody.")
}

func (p *planner) before() {
	p.book.heading("The day before")
	p.book.checks(
		"Enough people have said that they come: see the numbers above, and one more than that.",
		"Each of them has opened their key once: `candor-signer key show NAME`, and the words are those above.",
		"Each has a second copy of the key in another place, and knows where.",
		"Stick A is new, formatted, and holds only `candor-signer` for each computer, with its sha256 on paper.",
		"Everybody has the telephone number of everybody else, on paper.",
		"The clocks of all computers show the right day.",
	)
}

func (p *planner) steps() {
	p.book.heading("Steps")
	p.prepare()
	p.book.step(Step{
		Who: "who leads", Does: "Make the proposal", Where: anywhere, Command: p.command(),
		See: []string{
			"`fingerprint:` and eight words. Write them here: ____________________________________________",
			"a line for each role with `0 of N signatures`, and the names that you expect",
		},
		Wrong: "read the sentence after `candor-signer:`. It names the file, the person or the field, and what to do. Nothing has been signed, and you may begin again.",
	})
	p.book.step(Step{
		Who: "each signer, one after the other", Does: "Read, compare, sign", Where: offline,
		Command: "candor-signer " + commandSign + " " + p.file + " --key NAME",
		See: []string{
			"the words after `Fingerprint:` are those that were written down. Read them to each other: one reads, the other compares.",
			"what changes is what this page says, and nothing more",
			"each new person or key: its owner reads the words from their own screen, and they are the same",
			"after typing the words and the passphrase: one signature more than before",
		},
		Wrong: "do not sign. Keep the file, call who leads, and compare the words with at least two others. Different words mean a different file: find out where it was changed before anybody goes on.",
	})
	p.book.step(Step{
		Who: "who leads", Does: "See that all have signed", Where: anywhere,
		Command: "candor-signer " + commandStatus + " " + p.file,
		See:     []string{"the last line begins with `complete`", "the names are those of the people in the room, or on the telephone"},
		Wrong:   "it says who is missing, and for what. If somebody signed a copy, join the copies: `candor-signer " + commandMerge + " A B --out C`.",
	})
	p.book.step(Step{
		Who: "who leads, with an API token", Does: "Publish", Where: anywhere,
		Command: "candor-signer " + commandPublish + " " + p.file + " --server " + p.server() + " --token-file token",
		See:     []string{"it says what was published"},
		Wrong:   "the server says why. The signed file loses nothing by waiting until the day when it expires; run the command again.",
	})
	p.book.step(Step{
		Who: "the witness", Does: "See that it holds for everybody", Where: anywhere,
		Command: "candor-signer verify " + p.server() + " --root 1.root.json",
		See:     []string{"each line begins with `holds`", "root and targets have the new version"},
		Wrong:   "handsets go by the same rules and keep what they have. Call who runs the server: `candor-server doctor` says more.",
	})
	if p.Occasion == OccasionRenew {
		p.book.text("Then the same steps again for targets: `candor-signer renew targets`.")
	}
	if p.Occasion == OccasionOnline {
		p.book.step(Step{
			Who: "who runs the server", Does: "Destroy the old keys", Where: "the server",
			Command: "candor-server keys list --data DIR\ncandor-server keys remove N --data DIR",
			See:     []string{"the new set is `in use`, the old one `old`", "its copies in backups are gone as well"},
			Wrong:   "leave them where they are. A set that is in use cannot be removed by mistake.",
		})
	}
}

// prepare is what comes before there is a proposal.
func (p *planner) prepare() {
	switch p.Occasion {
	case OccasionInit:
		p.book.step(Step{
			Who: "who runs the server", Does: "Make the keys of the service", Where: "the server", Command: "candor-server init --data DIR\ncandor-server keys list --data DIR",
			See: []string{"three keys with their words. Write the first word of each here: ____________ ____________ ____________"}, Wrong: "an old data directory is never overwritten; name a new one.",
		})
	case OccasionOnline:
		p.book.step(Step{
			Who: "who runs the server", Does: "Make new keys beside the old", Where: "the server; with several of them, copy keys/ to each", Command: "candor-server keys new --data DIR",
			See: []string{"`waiting` and three keys with their words: read them to who leads", "the name of the file to be sent: `online-keys.json`"}, Wrong: "the server goes on with the keys that it has; nothing is lost.",
		})
	}
	if len(p.New) == 0 {
		return
	}
	p.book.step(Step{
		Who: "everybody whose key is new", Does: "Make a key, and read its words", Where: offline,
		Command: "candor-signer key new NAME --holder \"FIRST LAST\"\ncandor-signer key show NAME --public > NAME.pub",
		See:     []string{"the words are those in the table above", "a second copy of the key lies in another place"},
		Wrong:   "the public file on stick A is not yours: make it again, and have this page made again with it.",
	})
}

// command is the one that makes the proposal.
func (p *planner) command() string {
	var b strings.Builder
	b.WriteString("candor-signer ")
	switch p.Occasion {
	case OccasionInit:
		b.WriteString("init")
		for range p.New {
			b.WriteString(" --root-key FILE.pub")
		}
		fmt.Fprintf(&b, " --threshold %d --online online-keys.json --out %s", p.need, p.file)
		return b.String()
	case OccasionOnline:
		b.WriteString("root rotate-online --online online-keys.json")
	case OccasionRenew:
		b.WriteString("renew root")
	case OccasionPeople:
		b.WriteString("root people" + p.peopleFlags())
	case OccasionProduct:
		b.WriteString("product people " + string(p.Product) + p.peopleFlags())
	}
	return b.String() + " --server " + p.server() + " --out " + p.file
}

func (p *planner) peopleFlags() string {
	var b strings.Builder
	for i, k := range p.New {
		if i < len(p.Leaving) {
			fmt.Fprintf(&b, " --replace %q=%s.pub", p.Leaving[i], k.Name)
		} else {
			fmt.Fprintf(&b, " --add %s.pub", k.Name)
		}
	}
	for _, who := range p.Leaving[min(len(p.New), len(p.Leaving)):] {
		fmt.Fprintf(&b, " --remove %q", who)
	}
	if p.Threshold != 0 {
		fmt.Fprintf(&b, " --threshold %d", p.Threshold)
	}
	return b.String()
}

func (p *planner) server() string {
	if p.Server == "" {
		return "https://SERVER"
	}
	return p.Server
}

func (p *planner) trouble() {
	p.book.heading("What can go wrong")
	p.book.table([]string{"what", "then"}, [][]string{
		{"somebody does not come", "Go on while enough are there. If not, stop: a file with some signatures keeps until its role expires, and the others may sign tomorrow, wherever they are."},
		{"a passphrase does not open the key", "Try it on another keyboard. After three times stop, and count that person as absent; a key without its passphrase is lost, and is replaced with `root people --replace`."},
		{"the power fails, a computer dies", "Begin again at the step where you were. Each signature is in the file, or it is not; nothing is half."},
		{"the words differ", "Nobody signs. Two files are about: take the one whose words who leads has written down, and find out who made the other."},
		{"a stick was lost", "It held no secret, unless somebody copied a key to it. If somebody did, replace that key."},
		{"somebody asks to hurry", "Tick the boxes all the same. That is what they are for."},
	})
}

func (p *planner) after() {
	p.book.heading("Afterwards")
	lines := []string{
		"`candor-signer ceremony transcript " + p.file + "` has been kept, printed and filed with this page. Anybody can verify it.",
		"The sticks are in the safe, or wiped.",
	}
	if p.Occasion == OccasionInit {
		lines = append(lines, "`1.root.json` is where people can compare it, and with whoever builds the first handset.")
	} else {
		lines = append(lines, "Everybody who signs has the new root: `candor-signer verify "+p.server()+"` shows it.")
	}
	p.book.checks(lines...)
	p.book.text("Begun ________  ended ________  place ______________________\n\nWho led ______________________  witness ______________________")
}
