package browser_test

import (
	"testing"
)

// Each person gets in with what the provider says of them, and nobody else.
func TestTheProvidersGroupsDecideWhoGetsIn(t *testing.T) {
	t.Parallel()
	s := start(t)
	for login, role := range map[string]string{"vera": "viewer", "emil": "engineer", "olga": "operator", "adam": "admin"} {
		p := s.as(login, "/v1/auth/session", "favicon")
		if _, err := p.Says(`"role":"` + role + `"`); err != nil {
			t.Errorf("%s: %v", login, err)
		}
	}
	p := s.as("nemo", "/", "favicon", `/v1/auth/callback\S*: 403$`)
	if _, err := p.Says("none of your groups may use this server"); err != nil {
		t.Error(err)
	}
}
