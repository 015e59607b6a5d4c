package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/lint"
	"github.com/candor-ota/candor/server/publish"
)

// keys examines the online keys: there, closed to others, and those that the
// root trusts.
func (v *visit) keys() {
	const restore = "restore keys/ from its backup; keys that are lost for good are replaced as server/README.md says under thefts"
	keys, err := publish.LoadKeys(v.Dir.Keys())
	if err != nil {
		v.say("keys", Fail, err.Error(), restore)
	} else {
		v.trusted(keys)
	}
	if _, err := v.Dir.LoadMaster(); err != nil {
		v.say("keys", Fail, err.Error(), restore)
	} else {
		v.say("keys", OK, "the vote master can be read", "")
	}
}

func (v *visit) trusted(keys publish.Keys) {
	if v.tree == nil || v.tree.Number == 0 {
		v.say("keys", OK, "the online keys can be read; there is no published root to hold them against", "")
		return
	}
	listed := publish.Listed{}
	for _, role := range []string{layout.RolloutsRole, "snapshot", "timestamp"} {
		listed[role] = v.tree.Keys[role]
	}
	if _, err := keys.For(listed); err != nil {
		v.say("keys", Fail, "the set of online keys is not one that the published root trusts: handsets would refuse what it signs", "restore the right keys/, or replace them as server/README.md says under thefts")
		return
	}
	v.say("keys", OK, "the online keys are those that the published root trusts", "")
	v.sets(listed)
}

// sets says which sets of online keys wait, and which have had their time.
func (v *visit) sets(listed publish.Listed) {
	sets, err := publish.Sets(v.Dir.Keys())
	if err != nil {
		v.say("keys", Fail, err.Error(), "restore keys/ from its backup")
		return
	}
	use := slices.IndexFunc(sets, func(s publish.Set) bool { return s.Keys.Fit(listed) })
	for i, s := range sets {
		switch {
		case i < use:
			v.say("keys", Warn, fmt.Sprintf("set %d of the online keys is no longer used", s.Number), fmt.Sprintf("candor-server keys remove %d", s.Number))
		case i > use:
			v.say("keys", OK, fmt.Sprintf("set %d of the online keys waits for a root that names it", s.Number), "")
		}
	}
}

// folders examines who else may read what the data directory holds.
func (v *visit) folders() {
	fine := true
	err := filepath.WalkDir(string(v.Dir), func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && path == v.Dir.Tree() {
			return fs.SkipDir // public anyway
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) { // an upload that ended
			return nil
		}
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			fine = false
			v.say("permissions", Fail, fmt.Sprintf("%s has mode %04o: others on this machine can read it", path, info.Mode().Perm()), "chmod go= "+path)
		}
		return nil
	})
	if err != nil {
		v.say("permissions", Fail, err.Error(), "run this as the user that the server runs as, and give that user the data directory")
		return
	}
	if fine {
		v.say("permissions", OK, "what the data directory holds is closed to others", "")
	}
	v.writes()
}

// writes tries what a server does first of all.
func (v *visit) writes() {
	f, err := os.CreateTemp(v.Dir.Uploads(), ".doctor-")
	if err == nil {
		_, err = f.WriteString("a probe of candor-server doctor; it may be removed\n")
		err = errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name()))
	}
	if err != nil {
		v.say("writing", Fail, "the data directory cannot be written: "+err.Error(), "give the server's user the directory, and look whether the file system is full or mounted to read only")
		return
	}
	v.say("writing", OK, "the data directory can be written", "")
}

// roles says when each expires, and who must act.
func (v *visit) roles() {
	if v.tree == nil || v.tree.Number == 0 {
		return
	}
	for _, role := range slices.Sorted(maps.Keys(v.tree.Expire)) {
		left := v.tree.Expire[role].Sub(v.Now())
		who := "the engineers: `candor-signer renew`, then `candor-signer event sign` and `event publish`"
		if lint.SignedOnline(role) {
			who = "this server: start it, and look in its log why it did not"
		}
		text := fmt.Sprintf("%s expires in %s, at %s", role, days(left), v.tree.Expire[role].UTC().Format(time.RFC3339))
		switch {
		case left <= 0:
			v.say("expiry", Fail, fmt.Sprintf("%s has expired %s ago: handsets take nothing new", role, days(-left)), who)
		case left < lint.Low(role):
			v.say("expiry", Warn, text, who)
		default:
			v.say("expiry", OK, text, "")
		}
	}
}

func days(d time.Duration) string {
	if d < 48*time.Hour {
		return d.Round(time.Minute).String()
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// How far clocks may be apart before it is said, and before it is trouble:
// signed times are in whole seconds, and handsets believe them.
const (
	skewWarn = 5 * time.Second
	skewFail = time.Minute
)

// clock holds this machine's against what was signed, and against a peer's.
func (v *visit) clock(ctx context.Context) {
	const do = "set the clock (chrony, systemd-timesyncd), before the server signs with it: handsets believe a signed time for ever"
	now := v.Now()
	if v.tree != nil && v.tree.Issued.After(now.Add(skewWarn)) {
		v.say("clock", Fail, fmt.Sprintf("it stands %s before the newest timestamp was signed: this clock is slow, or the one before was fast", days(v.tree.Issued.Sub(now))), do)
	} else {
		v.say("clock", OK, "it is not behind what was signed", "")
	}
	if v.Peer == "" {
		return
	}
	theirs, err := v.ask(ctx)
	if err != nil {
		v.say("clock", Warn, "the peer's clock could not be read: "+err.Error(), "give --peer an address that answers over HTTP")
		return
	}
	apart := now.Sub(theirs).Abs()
	text := fmt.Sprintf("it and the peer's are %s apart", apart.Round(time.Second))
	switch {
	case apart > skewFail:
		v.say("clock", Fail, text, do)
	case apart > skewWarn:
		v.say("clock", Warn, text, do)
	default:
		v.say("clock", OK, text, "")
	}
}

// ask reads the Date of a peer's answer (RFC 9110, section 6.6.1).
func (v *visit) ask(ctx context.Context) (time.Time, error) {
	client := v.Client
	if client == nil {
		client = &http.Client{Timeout: 10 * time.Second}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, strings.TrimSuffix(v.Peer, "/")+"/"+layout.TimestampFile, nil)
	if err != nil {
		return time.Time{}, err
	}
	resp, err := client.Do(r)
	if err != nil {
		return time.Time{}, err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<10))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return time.Time{}, err
	}
	return http.ParseTime(resp.Header.Get("Date"))
}
