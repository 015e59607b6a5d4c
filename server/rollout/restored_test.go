package rollout_test

import (
	"encoding/json"
	"testing"

	"github.com/candor-ota/candor/manifests"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/server/rollout"
)

// A backup has forgotten the halt that came after it, so nothing in it may go
// on by itself.
func TestNothingFromABackupGoesOnByItself(t *testing.T) {
	halted := &policy.Rollout{State: policy.Halted, Reason: "boot loops"}
	for _, c := range []struct {
		was       policy.State
		published *policy.Rollout
		want      policy.State
		reason    string
	}{
		{rollout.Draft, nil, rollout.Draft, "as it was"},
		{rollout.Approved, nil, rollout.Approved, "as it was"},
		{policy.Scheduled, nil, rollout.Approved, "as it was"},
		{policy.Active, nil, policy.Held, "restored"},
		{policy.Active, &policy.Rollout{State: policy.Active}, policy.Held, "restored"},
		{policy.Active, halted, policy.Halted, "boot loops"},
		{policy.Complete, nil, policy.Held, "restored"},
		{policy.Complete, halted, policy.Halted, "boot loops"},
		{policy.Held, nil, policy.Held, "as it was"},
		{policy.Held, halted, policy.Halted, "boot loops"},
		{policy.Halted, nil, policy.Halted, "as it was"},
		{policy.Superseded, halted, policy.Superseded, "as it was"},
	} {
		r := draft()
		r.State, r.Reason, r.Plan.Channel, r.Plan.Kind = c.was, "as it was", "stable", manifests.KindNormal
		document, err := json.Marshal(&r)
		if err != nil {
			t.Fatal(err)
		}
		state, out, err := rollout.Restored(document, c.published, "restored", at(5).Now)
		var after rollout.Rollout
		if err == nil {
			err = json.Unmarshal(out, &after)
		}
		if err != nil || state != c.want || after.State != c.want || after.Reason != c.reason {
			t.Errorf("%s: %s (%s) because %q, %v", c.was, state, after.State, after.Reason, err)
		}
	}
	if _, _, err := rollout.Restored([]byte("{"), nil, "", at(0).Now); err == nil {
		t.Error("half a rollout was restored")
	}
}
