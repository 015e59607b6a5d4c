package incident

import (
	"fmt"
	"strings"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/signer/ceremony"
)

func (b *book) engineerKey() error {
	f, err := b.product()
	if err != nil {
		return err
	}
	if len(b.c.Gone) == 0 {
		return refuse("whose key? Give --gone NAME, once for each, of %s", strings.Join(f.Held.Names(), ", "))
	}
	g := b.gone(&f.Held)
	if !b.c.Check && len(g.missing) > 0 {
		return refuse("%s signs nothing for %s, whose engineers are %s", strings.Join(g.missing, ", "), f.Product, strings.Join(f.Held.Names(), ", "))
	}
	stolen := len(g.here) + len(g.missing)
	b.p.Title = fmt.Sprintf("In wrong hands: %s of %s. It takes %d to sign a release.", count(stolen, "engineer's key", "engineers' keys"), f.Product, f.Held.Threshold)
	b.p.Stops = []string{"Whatever the stolen keys sign from now on.", "Builds that the new list leaves out: not even a thief who has all keys of the service as well can offer them again to a handset that has seen the list."}
	b.p.Leaves = []string{"A handset on which a bad build runs already. It takes the next higher build that you sign."}
	b.p.Owners = []string{"Nothing could be signed with the stolen key alone. No phone is affected, and none needs to be brought in."}
	if stolen >= f.Held.Threshold {
		b.p.Owners = []string{
			"From when to when builds may have been signed by somebody else, and the numbers of the builds that were withdrawn.",
			"Whoever's phone runs one of them should take the next update as soon as it is offered; it needs no visit.",
		}
		b.suspect(f)
	}
	b.replaceEngineers(f, g, stolen >= f.Held.Threshold)
	if stolen >= f.Held.Threshold {
		b.rescue(f, b.c.Build)
	}
	b.p.Until = fmt.Sprintf("Until a handset's next poll after the new list is published. One that a thief keeps from hearing of it: until the timestamp that it holds ends (%s), or, if he has the keys of the service too, until %s.", moment(b.s.Service[0].Expires), moment(firstEnd(b.s, f)))
	b.check(append(append([]string{"--product", string(f.Product)}, buildWords(b.c.Build)...), keyWords(g.here)...)...)
	return nil
}

func buildWords(build manifests.Build) []string {
	if build == 0 {
		return nil
	}
	return []string{"--build", build.String()}
}

func count(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// suspect stops what thieves of a whole threshold may have signed.
func (b *book) suspect(f *ceremony.InForce) {
	b.halt(f, func(r manifests.Build) bool { return b.c.Build == 0 || r == b.c.Build },
		"The stolen keys are enough for a release. Until each live build was compared with your own images, stop what is rolling out; a halt takes one person.")
	b.add(Step{
		Title: "Compare each live build with your own images", Who: "engineers",
		Commands: []Command{{Line: "candor-signer verify " + b.place() + " --blobs"}},
		Why:      "The sha256 of each image is in the release document; only you know whether it is yours. Live are builds " + builds(f) + ".",
		Seen:     "you know which of them are not yours; leave those out in the next step, and more rather than fewer",
		State:    Unseen, Found: "which images are yours cannot be seen from here",
	})
}

// replaceEngineers puts other keys in the place of those that are gone, and
// leaves builds out in the same proposal.
func (b *book) replaceEngineers(f *ceremony.InForce, g gone, enough bool) {
	file := string(f.Product) + "-people.proposal.json"
	words := []string{"product", "people", string(f.Product)}
	names, made := []string{}, []Command{}
	for i, p := range g.here {
		names = append(names, p.Name)
		fresh := fmt.Sprintf("new-%d", i+1)
		made = append(made, newKey(fresh, p.Name)...)
		words = append(words, "--replace", quoted(p.Name)+"="+fresh+".pub")
	}
	if b.c.Build != 0 {
		words = append(words, "--withdraw", b.c.Build.String())
	} else if enough {
		words = append(words, "--withdraw", "BUILD")
	}
	state, found := g.state("releases-" + string(f.Product))
	if state == Done && b.c.Build != 0 && live(f, b.c.Build) {
		state, found = Open, fmt.Sprintf("build %d is still in the list", b.c.Build)
	}
	b.add(Step{
		Title: "New keys for those whose keys were stolen", Who: strings.Join(append(names, "each on a clean computer"), ", "),
		Commands: made,
		Why:      "Or name somebody else: any engineer whose key is not in wrong hands. Read the words of the new key over the telephone.",
		Seen:     "`key show` prints the words that the others have",
		State:    b.follows(state), Found: b.unless(state, "keys are on people's own computers"),
	})
	engineers := holdersOf(&f.Held).without(names...)
	engineers.needs = max(f.Held.Threshold-len(names), 0)
	signing := []Command{b.signer(words...), b.sign(file, holdersOf(b.s.Targets)), b.sign(file, renewed(names))}
	if engineers.needs > 0 {
		signing = append(signing, b.sign(file, engineers))
	}
	b.add(Step{
		Title: "Root holders name the new keys, engineers sign the list anew", Who: "root holders and engineers, in one proposal",
		Commands: append(signing, b.submit(file)),
		Why:      "Everybody who is new signs, and as many engineers as a release needs. Both files are published in one step, so no handset finds a list that too few have signed.",
		Seen:     "the list is signed by the new keys, and lacks what was left out",
		State:    state, Found: found,
	})
}

func newKey(name, holder string) []Command {
	return []Command{
		{Line: "candor-signer key new " + name + " --holder " + quoted(holder)},
		{Line: "candor-signer key show " + name + " --public > " + name + ".pub"},
	}
}

func (b *book) rootKey() error {
	if len(b.c.Gone) == 0 {
		return refuse("whose key? Give --gone NAME, once for each, of %s", strings.Join(b.s.Root.Names(), ", "))
	}
	g := b.gone(&b.s.Root)
	if !b.c.Check && len(g.missing) > 0 {
		return refuse("%s does not hold root; its holders are %s", strings.Join(g.missing, ", "), strings.Join(b.s.Root.Names(), ", "))
	}
	names := []string{}
	for _, p := range g.here {
		names = append(names, p.Name)
	}
	b.check(keyWords(g.here)...)
	left := len(b.s.Root.Holders) - len(g.here)
	if left < b.s.Root.Threshold {
		b.rootIsLost(names, left)
		return nil
	}
	b.p.Title = fmt.Sprintf("%s lost or stolen; %d of the %d others can replace it.", count(len(b.c.Gone), "root key is", "root keys are"), b.s.Root.Threshold, left)
	b.replaceHolders(g, names, left)
	b.p.Stops = []string{"Whatever the key that is gone would sign: no root after this one counts it."}
	b.p.Leaves = []string{"A second loss before this is done: with fewer than the threshold left, no root can ever be signed again.", "If it was stolen: below the threshold it could sign nothing alone, and handsets never believed it."}
	b.p.Until = fmt.Sprintf("Handsets are not exposed: one key signs no root. You are, until the root is replaced: %d more may be lost.", left-b.s.Root.Threshold)
	b.p.Owners = []string{"Nothing. No phone notices."}
	return nil
}

func (b *book) replaceHolders(g gone, names []string, left int) {
	const file = "root-people.proposal.json"
	words, made := []string{"root", "people"}, []Command{}
	for i, n := range names {
		key := fmt.Sprintf("new-%d", i+1)
		made = append(made, newKey(key, n)...)
		words = append(words, "--replace", quoted(n)+"="+key+".pub")
	}
	state, found := g.state("root")
	b.add(Step{
		Title: "A new key", Who: strings.Join(append(names, "or somebody else"), ", "),
		Commands: made,
		Why:      "On a computer that is never connected, with a copy on a second medium in a second place.",
		Seen:     "`key show` prints the words that the others have",
		State:    b.follows(state), Found: b.unless(state, "keys are on people's own computers"),
	})
	b.add(Step{
		Title: "The others name it", Who: "root holders",
		Commands: []Command{
			b.signer(words...), b.sign(file, holdersOf(&b.s.Root).without(names...)), b.sign(file, renewed(names)), b.submit(file),
		},
		Why:   fmt.Sprintf("%d of the %d who are left are enough. Whoever is new signs too, to show that the key works.", b.s.Root.Threshold, left),
		Seen:  fmt.Sprintf("root %d is published and lists the new key", b.s.Root.Version+1),
		State: state, Found: found,
	})
}

// rootIsLost says what is left when no root can be signed any more.
func (b *book) rootIsLost(names []string, left int) {
	b.p.Title = fmt.Sprintf("Root is lost: %d of %d keys are left, %d are needed. No root and no targets can ever be signed again.", left, len(b.s.Root.Holders), b.s.Root.Threshold)
	end := firstEnd(b.s, nil)
	b.add(Step{
		Title: "Search, before anything else", Who: strings.Join(names, ", "),
		Why:  "The second medium in the second place; the passphrase in the safe. One key that is found again ends this.",
		Seen: "`candor-signer key show` prints its words", State: Unseen, Found: "keys are on people's own computers",
	})
	b.add(Step{
		Title: "Go on with releases while you can", Who: "engineers", Commands: []Command{b.signer("renew", "PRODUCT")},
		Why:  "Engineers' keys and the keys of the service still work, and handsets still believe them, until root or targets expires.",
		Seen: "lists of releases are renewed", State: Unseen, Found: fmt.Sprintf("the first of root and targets expires on %s (%s)", moment(end), b.whichEnds()),
	})
	b.add(Step{
		Title: "Hold the ceremony of a new system", Who: "root holders of tomorrow: three or five, in more than one place",
		Commands: []Command{{Line: "candor-signer init --root-key FIRST.pub --root-key SECOND.pub --root-key THIRD.pub --threshold 2 --online " + onlineFile}},
		Why:      "New handsets leave the factory with its root. It needs a server and an address of its own: handsets that trust the old root refuse everything that descends from another one, and must.",
		Seen:     "1.root.json of the new system is what the factory puts on handsets",
		State:    Unseen, Found: "another system is not in this tree",
	})
	b.add(Step{
		Title: "Bring the new root to handsets that are out", Who: "whoever services them",
		Commands: []Command{{Line: "candor-client create --root 1.root.json --factory IMAGE --build BUILD --config FILE"}},
		Why:      "There is no way over the air to give a handset another root; if there were, a thief could take it. It is set up anew, as in the factory, by whoever holds it.",
		Seen:     "the handset polls the new system",
		State:    Unseen, Found: "handsets cannot be seen from here",
	})
	b.p.Stops = []string{"Nothing. There is no way back but a key that is found again."}
	b.p.Leaves = []string{"Handsets keep what they run and go on working; they are never offered anything by the old system after it has expired."}
	b.p.Until = "Handsets are not exposed; they are without updates from " + moment(end) + " on."
	b.p.Owners = []string{"Phones go on working. From " + end.Format("2006-01-02") + " on they get no updates until they were serviced, and they say so themselves."}
}

// whichEnds names the file that ends first, and how long it has.
func (b *book) whichEnds() string {
	if b.s.Targets != nil && b.s.Targets.Expires.Before(b.s.Root.Expires) {
		return "targets, " + left(b.s.Targets.Expires, b.s.Now)
	}
	return "root, " + left(b.s.Root.Expires, b.s.Now)
}
