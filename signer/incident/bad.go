package incident

import (
	"fmt"
	"slices"
	"strings"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/signer/ceremony"
)

func (b *book) badRelease() error {
	f, err := b.product()
	if err != nil {
		return err
	}
	if b.c.Build == 0 {
		return refuse("which build is bad? Give --build: one of %s", builds(f))
	}
	isLive := live(f, b.c.Build)
	if !isLive && !b.c.Check {
		return refuse("build %d of %s is not live; live are %s", b.c.Build, f.Product, builds(f))
	}
	b.p.Title = fmt.Sprintf("Build %d of %s is bad. It is stopped, withdrawn and overtaken; nobody is stranded on it, or below it.", b.c.Build, f.Product)
	b.halt(f, func(r manifests.Build) bool { return r == b.c.Build }, "A halt takes one person and no question. It is the server's word: handsets obey it at their next poll, and once more before they restart.")
	strands := ceremony.Strands(f.Live, b.c.Build)
	if len(strands) > 0 {
		b.otherWay(f, strands)
	}
	b.withdraw(f)
	b.rescue(f, b.c.Build)
	b.p.Stops = []string{
		"The halt: handsets that hear of it do not install the build, not even if they have it downloaded already.",
		"The withdrawal: nobody can offer the build again, not even a thief of every key of the service.",
	}
	b.p.Leaves = []string{
		"Handsets that run it go on running it until they take the next build; no build is ever taken back to a lower one.",
		"A handset that nobody lets hear of it, for as long as the plan says at its end.",
	}
	b.p.Until = "The answer to the halt has the exact moment. What is published now is believed until " + moment(b.s.Service[0].Expires) + "; to that comes a restart that an owner has put off."
	b.p.Owners = []string{
		fmt.Sprintf("What is wrong with build %d, and what it does to whom, in a sentence that they can use.", b.c.Build),
		"Phones that have not installed it will not. Phones that have get the next build as soon as it is signed; nobody needs to bring one in.",
	}
	b.check("--product", string(f.Product), "--build", b.c.Build.String())
	return nil
}

func live(f *ceremony.InForce, build manifests.Build) bool {
	return slices.ContainsFunc(f.Live, func(r manifests.Release) bool { return r.Build == build })
}

func builds(f *ceremony.InForce) string {
	out := []string{}
	for i := range f.Live {
		out = append(out, f.Live[i].Build.String())
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, ", ")
}

// halt stops rollouts; bad says of which builds.
func (b *book) halt(f *ceremony.InForce, bad func(manifests.Build) bool, why string) {
	step := Step{Title: "Halt what is rolling out", Who: "any operator", Why: why, State: Done, Found: "no rollout offers it", Seen: "the rollout is halted, and the answer says by when the last handset stops"}
	for _, r := range f.Rollouts {
		if !bad(r.Build) {
			continue
		}
		if r.State.Installable() {
			step.State, step.Found = Open, fmt.Sprintf("rollout %s offers build %d to %s", r.ID, r.Build, r.Share)
		} else if step.State == Done {
			step.Found = fmt.Sprintf("rollout %s is %s", r.ID, r.State)
		}
		if r.State.Installable() || !b.c.Check {
			step.Commands = append(step.Commands, b.operate("rollout", "halt", string(r.ID), "--reason", quoted("why, in words for owners")))
		}
	}
	b.add(step)
}

// otherWay is where the bad build is a stepping stone.
func (b *book) otherWay(f *ceremony.InForce, strands []ceremony.Stranding) {
	words := []string{}
	lowest := strands[0].From
	for _, s := range strands {
		words = append(words, s.String())
		lowest = min(lowest, s.From)
	}
	b.add(Step{
		Title: "First sign another way up", Who: "engineers",
		Commands: b.releaseCommands(f, "release.yaml"),
		Why: fmt.Sprintf("BUILD %d IS A STEPPING STONE: %s. The new build's compatible.minBuild must be %d or less, or left out; `withdraw` refuses until then, unless you say --strand.",
			b.c.Build, strings.Join(words, "; "), lowest),
		Seen:  "this step is gone from the plan",
		State: Open, Found: "without the build, handsets below it have no way up",
	})
}

func (b *book) releaseCommands(f *ceremony.InForce, manifest string) []Command {
	next := nextBuild(f)
	file := fmt.Sprintf("%s-%d/%s-%d.proposal.json", f.Product, next, f.Product, next)
	out := fmt.Sprintf("%s-%d", f.Product, next)
	return []Command{
		{Line: server("vote-keys", string(f.Product), next.String(), "--json").Line + " > vote-keys.json"},
		b.signer("release", "build", manifest, "--image", "system=system.img", "--vote-keys", "vote-keys.json", "--out", out),
		{Line: "candor-signer event sign " + file + " --key " + ownKey + " --builder", By: f.Held.Names(), Needs: 1},
		{Line: "candor-signer event sign " + file + " --key " + ownKey + " --image system=system.img", By: f.Held.Names(), Needs: f.Held.Threshold - 1},
		{Line: b.submit(file).Line + " --blobs " + out},
	}
}

func nextBuild(f *ceremony.InForce) manifests.Build {
	var highest manifests.Build
	for i := range f.Live {
		highest = max(highest, f.Live[i].Build)
	}
	for _, r := range f.Rollouts {
		highest = max(highest, r.Build)
	}
	return highest + 1
}

func (b *book) withdraw(f *ceremony.InForce) {
	file := fmt.Sprintf("%s-%d-withdraw.proposal.json", f.Product, b.c.Build)
	step := Step{
		Title: "Withdraw the build", Who: "engineers",
		Commands: []Command{
			b.signer("withdraw", string(f.Product), b.c.Build.String()), b.sign(file, holdersOf(&f.Held)), b.submit(file),
		},
		Why:   "Until then it is still signed, and a thief of the service's keys could offer it within its pace.",
		Seen:  fmt.Sprintf("build %d is in the list of releases no more", b.c.Build),
		State: Done, Found: fmt.Sprintf("the list, version %d, is without it", f.Held.Version),
	}
	if live(f, b.c.Build) {
		step.State, step.Found = Open, fmt.Sprintf("the list, version %d, has it", f.Held.Version)
	}
	b.add(step)
}

// rescue brings handsets that run a bad build to a higher one.
func (b *book) rescue(f *ceremony.InForce, bad manifests.Build) {
	step := Step{
		Title: "Bring those who run it to a higher build", Who: "engineers, then operators",
		Why:   "A build number never goes down. What was good before may be signed again, under a higher number and with `rollback` in its YAML; its compatible.minBuild must not be above the bad build. For those who run the bad build alone: `rollout rescue` prints a plan.",
		Seen:  "a higher build is live and rolled out, and installs over the bad one",
		State: Open, Found: "no higher build that installs over it is on offer",
	}
	var way *manifests.Release
	for i := range f.Live {
		r := &f.Live[i]
		if r.Build > bad && bad > 0 && r.Compatible.MinBuild <= bad && (r.Rollback == nil || slices.Contains(r.Rollback.From, bad)) {
			way = r
		}
	}
	if way == nil {
		step.Commands = b.releaseCommands(f, "release.yaml")
		b.add(step)
		return
	}
	step.Found = fmt.Sprintf("build %d installs over it, but is not rolled out", way.Build)
	for _, r := range f.Rollouts {
		if r.Build == way.Build && r.State.Installable() {
			step.State, step.Found = Done, fmt.Sprintf("build %d installs over it; rollout %s, for %s", way.Build, r.ID, r.Share)
		}
	}
	step.Commands = []Command{b.operate("rollout", "create", "plan.yaml"), b.operate("rollout", "propose", "ID"), b.operate("rollout", "approve", "ID"), b.operate("rollout", "start", "ID")}
	b.add(step)
}
