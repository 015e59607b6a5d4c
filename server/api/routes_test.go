package api_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/server/auth"
)

// What an operation asks for, beside the permissions.
const (
	nothing  auth.Permission = "nothing"  // browsers that are signing in
	handset  auth.Permission = "handset"  // no identity, by design
	anybody  auth.Permission = "anybody"  // who has a token or a session
	inPerson auth.Permission = "inPerson" // who has a session
)

// access says who may do each operation of the contract. An operation with an
// {action} has a line for each. A new route needs a line here, or this test
// fails.
var access = map[string]auth.Permission{
	"enrol": handset, "withdraw": handset, "issueToken": handset, "castVote": handset, "reportLab": handset, "watch": handset,

	"login": nothing, "loginCallback": nothing, "signInWithToken": nothing, "getWays": nothing,
	"getSession": anybody, "listSessions": anybody, "endSession": anybody,
	"logout": inPerson, "logoutEverywhere": inPerson,
	"listApiTokens": auth.Administer, "createApiToken": auth.Administer, "revokeApiToken": auth.Administer,
	"listPeople": auth.Administer, "getSystem": auth.Read, "getLive": auth.Read,

	"startUpload": auth.Submit, "getUpload": auth.Submit, "appendUpload": auth.Submit, "submit": auth.Submit,
	"openEvent": auth.Submit, "addWords": auth.Submit, "remarkOnEvent": auth.Submit, "publishEvent": auth.Submit,
	"listEvents": auth.Read, "getEvent": auth.Read, "getProposal": auth.Read,

	"listProducts": auth.Read, "listReleases": auth.Read, "getVoteKeys": auth.Read, "getCounts": auth.Read, "listLabReports": auth.Read,
	"listRollouts": auth.Read, "getRollout": auth.Read, "getTimeline": auth.Read, "getHealth": auth.Read, "getOverview": auth.Read, "getVersions": auth.Read, "getTemplate": auth.Read, "getRescue": auth.Read,
	"getEvidence": auth.Read, "previewRollout": auth.Read, "planStages": auth.Read,

	"createRollout": auth.Operate, "editRollout": auth.Operate, "muteLabHandset mute": auth.Operate, "muteLabHandset unmute": auth.Operate,
	"changeRollout propose": auth.Operate, "changeRollout start": auth.Operate, "changeRollout resume": auth.Operate,
	"changeRollout advance": auth.Operate, "changeRollout abandon": auth.Operate,
	"changeRollout approve": auth.Approve, "changeRollout reject": auth.Approve,
	"changeRollout halt": auth.Halt, "changeRollout pause": auth.Halt, "changeRollout note": auth.Halt,

	"getKeys": auth.Read, "getRelease": auth.Read, "listAudit": auth.Read, "exportAudit": auth.Administer,
}

// everywhere are operations that concern no product in particular: a grant for
// some products is not enough.
var everywhere = []string{
	"listApiTokens", "createApiToken", "revokeApiToken", "muteLabHandset mute", "muteLabHandset unmute", "exportAudit", "getEvidence", "listPeople", "getSystem",
}

// operation is a request that gets as far as the question who asks.
type operation struct{ name, method, path string }

func (w *world) operations(rollout string) []operation {
	w.t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(contract.Spec)
	w.must(err)
	fill := func(path, action string) string {
		id := "none"
		path = strings.Replace(path, "{product}/watch", "none/watch", 1) // one that is opened has no end
		if strings.HasPrefix(path, "/v1/rollouts/") {
			id = rollout
		}
		return strings.NewReplacer("{product}", "phone", "{build}", "42", "{id}", id, "{deviceKey}", strings.Repeat("0", 64), "{action}", action).Replace(path)
	}
	var list []operation
	for path, item := range doc.Paths.Map() {
		for method, o := range item.Operations() {
			actions := []string{""}
			if p := item.Parameters.GetByInAndName("path", "action"); p != nil {
				actions = nil
				for _, a := range p.Schema.Value.Enum {
					actions = append(actions, a.(string))
				}
			}
			for _, a := range actions {
				list = append(list, operation{strings.TrimSpace(o.OperationID + " " + a), method, fill(path, a)})
			}
		}
	}
	return list
}

// problem is the code of the refusal of an operation; empty if it is none.
func (w *world) problem(client *http.Client, o operation, header ...string) string {
	w.t.Helper()
	var body any
	if o.method != "GET" && o.method != "DELETE" {
		body = []byte("{}")
	}
	status, _, data := w.exchange(client, o.method, o.path, body, header...)
	var p contract.Problem
	if status >= 400 {
		w.must(json.Unmarshal(data, &p))
	}
	return p.Code
}

func TestEveryOperationSaysWhoMayDoIt(t *testing.T) {
	w := newWorld(t)
	named := map[string]bool{}
	for _, o := range w.operations("none") {
		named[o.name] = true
		if _, ok := access[o.name]; !ok {
			t.Errorf("%s %s (%s) is not in the table: say who may do it", o.method, o.path, o.name)
		}
	}
	for name := range access {
		if !named[name] {
			t.Errorf("%s is not in the contract any more", name)
		}
	}
}

func TestRolesAndScopesDecideEveryOperation(t *testing.T) {
	w := ready(t, 42)
	id := w.rollout(42).Id
	every := []auth.Permission{auth.Read, auth.Submit, auth.Operate, auth.Approve, auth.Halt, auth.BreakGlass, auth.Administer}
	may := map[auth.Role][]auth.Permission{
		auth.Viewer: {auth.Read}, auth.Engineer: {auth.Read, auth.Submit, auth.Halt},
		auth.Operator: {auth.Read, auth.Operate, auth.Approve, auth.Halt}, auth.Admin: every,
	}
	for _, p := range every { // an admin's token that is scoped to one permission
		made := w.make(auth.Admin, map[string]any{"name": "only", "role": "admin", "scope": []auth.Permission{p}})
		may[w.bearer("only "+auth.Role(p), made.Token)] = []auth.Permission{p}
	}
	local := w.bearer("local", w.make(auth.Admin, map[string]any{"name": "local", "role": "admin", "products": []string{"phone"}}).Token)
	for _, o := range w.operations(id) {
		need := access[o.name]
		if need == handset || need == nothing {
			if code := w.problem(w.http.Client(), o); code == contract.CodeUnauthorized || code == contract.CodeForbidden {
				t.Errorf("%s asks who it is: %s", o.name, code)
			}
			continue
		}
		if code := w.problem(w.http.Client(), o); code != contract.CodeUnauthorized {
			t.Errorf("%s without a token: %q", o.name, code)
		}
		for role, has := range may {
			code := w.problem(w.http.Client(), o, "Authorization", "Bearer "+w.tokens[role])
			allowed := need == anybody || need == inPerson || slices.Contains(has, need)
			if allowed == (code == contract.CodeForbidden) || code == contract.CodeUnauthorized {
				t.Errorf("%s as %s: %q", o.name, role, code)
			}
		}
		code := w.problem(w.http.Client(), o, "Authorization", "Bearer "+w.tokens[local])
		if slices.Contains(everywhere, o.name) != (code == contract.CodeForbidden) {
			t.Errorf("%s as an admin of one product: %q", o.name, code)
		}
	}
}

func TestDeadTokensOpenNothing(t *testing.T) {
	w := ready(t, 42)
	id := w.rollout(42).Id
	expired := w.make(auth.Admin, map[string]any{"name": "x", "role": "admin", "expires": "1s"})
	revoked := w.make(auth.Admin, map[string]any{"name": "x", "role": "admin"})
	if status, _, _ := w.call(auth.Admin, "DELETE", "/v1/api-tokens/"+revoked.Id, nil); status != http.StatusNoContent {
		t.Fatal(status)
	}
	for _, o := range w.operations(id) {
		if need := access[o.name]; need == handset || need == nothing {
			continue
		}
		w.wait(10 * 60 * 1e9) // wrong tokens cost tries
		for _, token := range []string{expired.Token, revoked.Token} {
			if code := w.problem(w.http.Client(), o, "Authorization", "Bearer "+token); code != contract.CodeUnauthorized {
				t.Errorf("%s: %q", o.name, code)
			}
		}
	}
}

// A cookie opens what its person may, and changes nothing without our own page.
func TestEveryChangeByCookieNeedsOurOwnPage(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	admin := h.signIn(b, "admin")
	operations := h.operations("none")
	slices.SortFunc(operations, func(a, b operation) int { // what ends the session comes last
		return strings.Compare(string(access[a.name]), string(access[b.name]))
	})
	kinds := map[bool]int{}
	for _, o := range operations {
		need := access[o.name]
		if need == handset || need == nothing {
			continue
		}
		code := h.problem(b.http, o)
		kinds[o.method == "GET"]++
		if o.method == "GET" && (code == contract.CodeForeignRequest || code == contract.CodeUnauthorized || code == contract.CodeForbidden) ||
			o.method != "GET" && code != contract.CodeForeignRequest {
			t.Errorf("%s by cookie alone: %q", o.name, code)
		}
		if need == inPerson {
			continue
		}
		if code := h.problem(b.http, o, h.ours(admin)...); code == contract.CodeForeignRequest || code == contract.CodeUnauthorized || code == contract.CodeForbidden {
			t.Errorf("%s from our own page: %q", o.name, code)
		}
	}
	if kinds[true] < 5 || kinds[false] < 5 {
		t.Errorf("only %v operations were tried", slices.Collect(maps.Values(kinds)))
	}
}
