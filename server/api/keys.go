package api

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/lint"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/release"
)

// otherRoles is how many further roles are named of a key: an engineer may sign
// for a thousand products.
const otherRoles = 20

// keys tells of every role whose keys sign it, when it expires, and who must act.
func (a *API) keys(c *gin.Context) {
	out := contract.KeyOverview{At: a.Now(), Roles: a.signingRoles(identity(c))}
	var err error
	if root := a.signed.of(a.Tree.Tree())["root"]; root != nil {
		var words string
		words, err = release.RootWords(a.Tree.Tree().File(layout.MetadataFile("root", root.Version)).Body)
		out.RootWords = &words
	}
	a.reply(c, out, err)
}

// signingRoles are the roles that somebody may see, those first that have to be
// signed first: root, targets, the server's own, and the lists of releases of
// the products that may be read.
func (a *API) signingRoles(who auth.Identity) []contract.SigningRole {
	files, out := a.signed.of(a.Tree.Tree()), []contract.SigningRole{}
	uses := map[string][]string{} // by key: the roles that may be seen
	rows := map[string]lint.Row{}
	for role := range files {
		if p, ok := layout.ReleasesRoleProduct(role); ok && who.Check(auth.Read, p) != nil {
			continue
		}
		rows[role] = rowOf(files, role)
		for _, id := range rows[role].KeyIDs {
			uses[id] = append(uses[id], role)
		}
	}
	for _, roles := range uses {
		slices.Sort(roles)
	}
	for role, row := range rows {
		out = append(out, signingRole(files[role], row, a.Now()))
		last := &out[len(out)-1]
		for _, id := range row.KeyIDs {
			last.Keys = append(last.Keys, keyOf(delegatorOf(files, role), row, id, uses[id]))
		}
	}
	slices.SortFunc(out, func(a, b contract.SigningRole) int { return cmp.Or(a.By.Compare(b.By), cmp.Compare(a.Role, b.Role)) })
	return out
}

// delegatorOf is the file that says who signs a role; nil if it is not there.
func delegatorOf(files map[string]*lint.File, role string) *lint.File {
	switch role {
	case "root", "targets", "snapshot", "timestamp":
		return files["root"]
	}
	return files["targets"]
}

func rowOf(files map[string]*lint.File, role string) lint.Row {
	by := delegatorOf(files, role)
	if by == nil {
		return lint.Row{Name: role}
	}
	row, _ := by.Row(role)
	return row
}

// algorithms are the kinds of key that handsets use, as people call them.
var algorithms = map[string]string{"ed25519": "Ed25519", "ecdsa-sha2-nistp256": "P-256"}

func keyOf(by *lint.File, row lint.Row, id string, uses []string) contract.SigningKey {
	out := contract.SigningKey{Id: id, Holder: cmp.Or(row.Holders[id], id)}
	if name := algorithms[by.Keys[id].Scheme]; name != "" {
		out.Algorithm = &name
	}
	others := []string{}
	for _, role := range uses {
		if role != row.Name && len(others) < otherRoles {
			others = append(others, role)
		}
	}
	if len(others) > 0 {
		out.Roles = &others
	}
	return out
}

// signingRole is a role without its keys.
func signingRole(f *lint.File, row lint.Row, now time.Time) contract.SigningRole {
	by, _ := f.By()
	out := contract.SigningRole{
		Role: f.Role, Version: f.Version, Expires: f.Expires, By: by, Threshold: row.Threshold, Keys: []contract.SigningKey{},
		Online: lint.SignedOnline(f.Role), State: contract.SigningRoleState(f.Urgency(now)), Command: lint.Renewing(f.Role),
	}
	if p, ok := layout.ReleasesRoleProduct(f.Role); ok {
		product := string(p)
		out.Product = &product
	}
	if f.NextBy != nil {
		out.NextBy = &f.NextBy.Time
	}
	out.Sentence = whoActs(f, row, now)
	return out
}

// whoActs says who has to sign a role by when, and with which command.
func whoActs(f *lint.File, row lint.Row, now time.Time) string {
	by, promise := f.By()
	run, over := "`"+lint.Renewing(f.Role)+"`", !now.Before(f.Expires)
	if lint.SignedOnline(f.Role) {
		at := f.Expires.UTC().Format("2006-01-02 15:04 UTC")
		switch {
		case over:
			return fmt.Sprintf("It expired at %s: handsets take nothing new. The server signs it; on its machine, %s says why it did not.", at, run)
		case f.Urgency(now) != lint.Fine:
			return fmt.Sprintf("The server should have signed it again by now; it expires at %s. On its machine, %s says why it did not.", at, run)
		}
		return fmt.Sprintf("The server signs it by itself, long before %s; nobody has to act.", at)
	}
	people := fmt.Sprintf("%d of %s", row.Threshold, holders(row))
	day := func(t time.Time) string { return t.UTC().Format(time.DateOnly) }
	switch {
	case over:
		return fmt.Sprintf("It expired on %s: handsets take nothing new that hangs on it. %s sign it now: %s.", day(f.Expires), people, run)
	case promise && !now.Before(by):
		return fmt.Sprintf("The next word was promised by %s and has not come: handsets tell their owners. %s sign it now: %s. It expires on %s.", day(by), people, run, day(f.Expires))
	case promise:
		return fmt.Sprintf("%s sign it by %s: %s. They promised that; past it, handsets tell their owners that the makers are late.", people, day(by), run)
	}
	return fmt.Sprintf("%s sign it by %s: %s. Past it, handsets take nothing new that hangs on it.", people, day(by), run)
}

// holders names everybody of a role.
func holders(row lint.Row) string {
	names := make([]string, len(row.KeyIDs))
	for i, id := range row.KeyIDs {
		names[i] = cmp.Or(row.Holders[id], "key "+id[:min(12, len(id))])
	}
	slices.Sort(names)
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}
