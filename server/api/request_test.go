package api_test

import (
	"regexp"
	"testing"

	"github.com/candor-ota/candor/server/auth"
)

var requestNumber = regexp.MustCompile(`^[A-Z2-7]{26}$`)

// TestEveryAnswerToPeopleHasANumberOfOurOwn holds what the contract says of
// X-Request-Id, refusals included; handsets' requests have none.
func TestEveryAnswerToPeopleHasANumberOfOurOwn(t *testing.T) {
	w := ready(t, 42)
	r := w.rollout(42)
	seen := map[string]bool{"": true}
	for _, o := range w.operations(r.Id) {
		for _, token := range []string{w.tokens[auth.Admin], "candor-wrong"} {
			status, header, _ := w.exchange(w.http.Client(), o.method, o.path, nil, "X-Request-Id", "MADEUPBYTHESENDER234567ABC", "Authorization", "Bearer "+token)
			id := header.Get("X-Request-Id")
			switch need := access[o.name]; {
			case need == handset && id != "":
				t.Errorf("%s: a handset's request has the number %s", o.name, id)
			case need != handset && need != nothing && o.name != "logout" && o.name != "logoutEverywhere" && (!requestNumber.MatchString(id) || seen[id]):
				t.Errorf("%s: %d with the number %q, which is none or not new", o.name, status, id)
			}
			if id != "" {
				seen[id] = true
			}
		}
	}
}
