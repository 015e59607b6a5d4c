package api

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/store"
)

// listPeople shows who has a session or ever had a token, and what the groups of
// the provider may do.
func (a *API) listPeople(c *gin.Context) {
	rows, err := a.people(c.Request.Context())
	out := contract.PeopleList{People: rows, Groups: []contract.GroupRow{}}
	for _, g := range a.People.Grants {
		out.Groups = append(out.Groups, contract.GroupRow{Group: g.Group, Grant: grantOf(g.Grant)})
	}
	a.reply(c, out, err)
}

func (a *API) people(ctx context.Context) ([]contract.PersonRow, error) {
	rows := map[string]*contract.PersonRow{}
	row := func(person, name string) *contract.PersonRow {
		if rows[person] == nil {
			rows[person] = &contract.PersonRow{Person: person, Name: name}
		}
		return rows[person]
	}
	sessions, err := a.People.Sessions(ctx, store.SessionQuery{})
	if err != nil {
		return nil, err
	}
	for _, s := range sessions { // the newest first, so its name is the one
		name := s.Name
		if s.Token != "" {
			name = nameOf(s.Person)
		}
		r := row(s.Person, name)
		if r.Sessions++; r.Seen == nil || s.Seen.After(*r.Seen) {
			seen := s.Seen
			r.Seen = &seen
		}
	}
	tokens, err := a.Ledger.Tokens(ctx)
	if err != nil {
		return nil, err
	}
	for i := range tokens {
		t := &tokens[i]
		if r := row(t.Owner, nameOf(t.Owner)); !auth.Ended(*t, a.Now()) {
			r.Tokens++
		}
	}
	out := []contract.PersonRow{}
	for _, r := range slices.SortedFunc(maps.Values(rows), func(a, b *contract.PersonRow) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Person, b.Person))
	}) {
		out = append(out, *r)
	}
	return out, nil
}

// nameOf is what a person is called of whom only the stable identity is known.
func nameOf(person string) string {
	name, _ := strings.CutPrefix(person, auth.LocalPerson(""))
	if _, subject, ok := strings.Cut(name, "#"); ok {
		return subject
	}
	return name
}

func grantOf(g auth.Grant) contract.Grant {
	out := contract.Grant{Role: contract.Role(g.Role), Products: []string{}}
	for _, p := range g.Products {
		out.Products = append(out.Products, string(p))
	}
	return out
}
