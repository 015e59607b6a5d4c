package api_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/lint"
	"github.com/candor-ota/candor/server/auth"
)

const tablet = manifests.Product("tablet")

// roles gives what the keys page shows, by role.
func (w *world) roles(as auth.Role) (contract.KeyOverview, map[string]contract.SigningRole) {
	w.t.Helper()
	all := get[contract.KeyOverview](w, as, "GET", "/v1/keys", nil)
	out := map[string]contract.SigningRole{}
	for _, r := range all.Roles {
		out[r.Role] = r
	}
	return all, out
}

func TestKeysTellWhoMustActByWhen(t *testing.T) {
	w := ready(t, 43)
	all, roles := w.roles(auth.Viewer)
	if len(roles) != 6 || len(all.Roles) != 6 || all.RootWords == nil || len(strings.Fields(*all.RootWords)) != 8 {
		t.Fatalf("%+v", all)
	}
	for i := range all.Roles[1:] {
		if all.Roles[i].By.After(all.Roles[i+1].By) {
			t.Errorf("%s stands before %s", all.Roles[i].Role, all.Roles[i+1].Role)
		}
	}
	for name, online := range map[string]bool{
		"root": false, "targets": false, "releases-phone": false, "timestamp": true, "snapshot": true, layout.RolloutsRole: true,
	} {
		if r := roles[name]; r.Online != online || r.State != contract.SigningRoleState(lint.Fine) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	list := roles["releases-phone"]
	names := []string{}
	for i, k := range list.Keys {
		if k.Id != w.Engineers[i].ID || k.Holder != "holder of "+k.Id[:8] || *k.Algorithm != "Ed25519" || k.Roles != nil {
			t.Errorf("%+v", k)
		}
		names = append(names, k.Holder)
	}
	if *list.Product != "phone" || list.Threshold != 2 || list.Version != 2 || !list.By.Equal(*list.NextBy) || list.By.Equal(list.Expires) {
		t.Errorf("%+v", list)
	}
	for _, want := range []string{"2 of ", names[0], names[1], "2014-10-10", "`candor-signer renew phone`"} {
		if !strings.Contains(list.Sentence, want) || list.Command != "candor-signer renew phone" {
			t.Errorf("%s lacks %q", list.Sentence, want)
		}
	}
	root := roles["root"]
	if root.Threshold != 2 || len(root.Keys) != 3 || root.Keys[0].Roles == nil || (*root.Keys[0].Roles)[0] != "targets" || root.NextBy != nil {
		t.Errorf("%+v", root)
	}
	if online := roles["timestamp"]; online.Keys[0].Holder != online.Keys[0].Id || online.Command != "candor-server doctor" {
		t.Errorf("%+v", online)
	}
}

func TestKeysSayThatAPromiseWasBroken(t *testing.T) {
	w := ready(t, 43)
	const day = 24 * time.Hour
	for _, step := range []struct {
		wait  time.Duration
		state string
		says  string
	}{
		{32 * day, "soon", "sign it by 2014-10-10"},
		{20 * day, "urgent", "sign it by 2014-10-10"},
		{20 * day, "urgent", "promised by 2014-10-10 and has not come"},
		{60 * day, "expired", "expired on 2014-12-08"},
	} {
		w.wait(step.wait)
		_, roles := w.roles(auth.Viewer)
		if r := roles["releases-phone"]; string(r.State) != step.state || !strings.Contains(r.Sentence, step.says) {
			t.Errorf("%s: %+v", step.says, r)
		}
		if r := roles["timestamp"]; r.State != "expired" || !strings.Contains(r.Sentence, "`candor-server doctor`") {
			t.Errorf("%+v", r) // nothing runs the publisher here
		}
	}
}

func TestKeysOfOtherProductsAreNotShown(t *testing.T) {
	w := ready(t)
	w.submit(w.Product(tablet))
	_, roles := w.roles(auth.Viewer)
	if others := roles["releases-phone"].Keys[0].Roles; others == nil || (*others)[0] != "releases-tablet" {
		t.Errorf("%v", others)
	}
	w.limitedTo(auth.Viewer, phone)
	_, roles = w.roles(auth.Viewer)
	if _, seen := roles["releases-tablet"]; seen || len(roles) != 6 || roles["releases-phone"].Keys[0].Roles != nil {
		t.Errorf("%+v", roles)
	}
}

func TestKeysOfAnEmptyInstallationAreNone(t *testing.T) {
	if all, _ := newWorld(t).roles(auth.Viewer); len(all.Roles) != 0 || all.RootWords != nil {
		t.Errorf("%+v", all)
	}
}

// The dashboard, `candor-signer expiring` and the alerts go by one set of
// figures.
func TestAlertsGoByTheSameFigures(t *testing.T) {
	rules, err := os.ReadFile("../alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		fmt.Sprintf("candor_next_word_in_seconds < %d * 86400", int(lint.UrgentWithin/(24*time.Hour))),
		fmt.Sprintf("candor_role_expires_in_seconds < candor_role_life_seconds / %d", int(lint.Life("root")/lint.Low("root"))),
	} {
		if !strings.Contains(string(rules), want) {
			t.Errorf("alerts.yaml has no %q", want)
		}
	}
}
