package world_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
)

func serverOwned(d *drill) {
	d.release(42, atOnce)
	d.open(42, manifests.WholeFleet)
	outside := condition{order: 43, from: fifth, to: manifests.WholeFleet}
	named := map[string]*survivor{}
	for name, c := range map[string]condition{
		"up to date": outside, "offline": outside, "offline in the factory": outside, "fresh from the factory": outside, "withheld": outside,
		"shown one view": outside, "shown another view": outside, "shown the highest numbers": outside, "in the middle of an install": {order: 43, to: fifth},
		"has the build that was lost": {order: 43, to: fifth}, "with a dead clock": {device: map[string]any{"noClock": true}, order: 43, from: fifth, to: manifests.WholeFleet},
	} {
		named[name] = d.survivor(name, c)
		named[name].allow(42)
		if c.to == fifth {
			named[name].allow(43)
		}
		if !strings.Contains(name, "factory") {
			named[name].expect(42)
		}
	}
	d.run([]string{"candor-server", "backup", "--data", d.w.Path("data"), "-o", d.w.Path("backup"), "--blobs"})
	d.must(exec.Command("cp", "-a", d.w.Path("data"), d.w.Path("saved")).Run())
	d.release(43, slowly) // after the backup
	d.open(43, fifth)
	named["has the build that was lost"].expect(43)
	named["in the middle of an install"].isCutOff()

	// A week of lies.
	one, other := newThief(d.T, d.w), newThief(d.T, d.w)
	one.publish(product, toEverybody("one", 43, one.signed(product, 43)))
	other.publish(product, toEverybody("other", 42, other.signed(product, 42)))
	for name, th := range map[string]*thief{
		"withheld": frozen(d), "shown one view": one, "shown another view": other, "in the middle of an install": other,
		"shown the highest numbers": newThief(d.T, d.w).forward(43, 6*24*time.Hour, 1<<31-1), "with a dead clock": newThief(d.T, d.w).forward(43, 6*24*time.Hour, 1<<31-1),
	} {
		named[name].meets(th)
	}
	if a, b := d.head(named["shown one view"]), d.head(named["shown another view"]); a == b || a == "" {
		d.Errorf("two views have one head: %q, %q", a, b)
	}
	one.publish(product, toEverybody("one", 43, one.signed(product, 43)))
	named["shown another view"].meets(one) // who sees both, knows
	if r, err := named["shown another view"].Report(); err != nil || !slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, "somebody shows different handsets different things") }) {
		d.Errorf("the fork was not noticed: %v, %v", r.Warnings, err)
	}

	p := d.lead("server-owned")
	d.must(d.w.StopServer(syscall.SIGKILL))
	d.must(os.Rename(d.w.Path("data"), d.w.Path("owned")))
	nothing := func([]string) {}
	d.follow(p, map[string]func([]string){
		"cp -a": func(line []string) {
			text := strings.NewReplacer("SAVED", d.w.Path("saved"), "DIR", d.w.Path("data")).Replace(strings.Join(line, " "))
			out, err := exec.Command("sh", "-c", text).CombinedOutput()
			if err != nil {
				d.Fatalf("%s: %v: %s", text, err, out)
			}
		},
		"candor-server restore": func([]string) {
			d.run([]string{"candor-server", "restore", d.w.Path("backup"), "--to", d.w.Path("data")})
		},
		"candor-server run": func([]string) {
			d.must(d.w.Configure("votes: {minKeyAge: 0s, showEvery: 0s}\n"))
			d.must(d.w.StartServer(ctx))
			d.tokens()
		},
		"candor-server token new": func([]string) { d.tokens() },
		"candor-server audit":     nothing, "candor-client": nothing, "candor-signer verify": nothing,
	})
	d.checked(p.Check, true)
	d.doctorFindsNothingFailed()
	d.release(44, atOnce)
	d.open(44, manifests.WholeFleet)
	for _, s := range d.survivors {
		s.recover(44)
	}
	heads := map[string]bool{}
	for _, s := range d.survivors {
		heads[d.head(s)] = true
	}
	if len(heads) != 1 {
		d.Errorf("handsets have %d heads: %v", len(heads), heads)
	}
	// Whoever has the old server says nothing that is believed.
	one.put(layout.TimestampFile, seal(one, one.stamp, one.keys["timestamp"]))
	named["shown one view"].road.leads(one)
	named["shown one view"].refuses("")
}

// doctorFindsNothingFailed is how a plan says to see that the new server works.
// It may warn: releases from before wait for their votes.
func (d *drill) doctorFindsNothingFailed() {
	d.Helper()
	out, err := exec.CommandContext(ctx, d.w.Path("bin", "candor-server"), "doctor", "--data", d.w.Path("data")).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 3) {
		d.Errorf("doctor: %v: %s", err, out)
	}
}

// tokens makes new ones, since a restore revokes all.
func (d *drill) tokens() {
	d.Helper()
	var err error
	d.w.Token, err = d.w.NewToken(ctx, fmt.Sprint("world-", len(d.w.Token), time.Now().UnixNano()), "admin")
	d.must(err)
	d.w.Second, err = d.w.NewToken(ctx, fmt.Sprint("second-", time.Now().UnixNano()), "operator")
	d.must(err)
	d.must(os.WriteFile(d.w.Path("token"), []byte(d.w.Token+"\n"), 0o600))
}

// head is what a handset shows of the chain of rollouts, for people to compare.
func (d *drill) head(s *survivor) string {
	d.Helper()
	r, err := s.Report()
	d.must(err)
	return r.Head
}
