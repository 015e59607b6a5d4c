package outbox

import (
	"fmt"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
)

// UseSpare has the votes on a release asked for and cast under its spare keys
// from now on. It is for the engineers' signed word alone, which all handsets
// see. Tokens of the first keys are dropped. What the service has acknowledged
// under these is not said again, so that a handset is never counted twice; a
// trial whose attempt is among that is not sent either, as it would stand for
// the silence of another handset. Tokens are asked for at a random moment
// within a time from now. It makes no request. Repeating it changes nothing;
// nothing leads back.
func (o *Outbox) UseSpare(ref vote.Ref, rules manifests.VoteRules, within time.Duration) error {
	if !o.votes() || rules.Spare == nil {
		return nil
	}
	changed := false
	begun := o.queue.find(ref, vote.Attempt)
	alone := begun != nil && !begun.Spare && begun.State == counted
	askAt := o.after(within)
	for i := range o.queue.Entries {
		e := &o.queue.Entries[i]
		if e.ref() != ref || e.Spare || !e.open() {
			continue
		}
		key, err := keyOf(rules, e.Class, vote.Spare)
		if err != nil {
			return fmt.Errorf("reports on %s: %w", ref, err)
		}
		if e.Class == vote.Trial && alone {
			if e.State == waiting {
				e.settle(refused, "the release's vote keys were replaced after its attempt was counted; its answer would be counted for another handset's")
				changed = true
			}
			continue
		}
		e.settle(waiting, "")
		e.Key, e.Spare, e.Failures, e.AskAt, changed = key, true, 0, askAt, true
		if e.Vote != nil {
			e.CastAt = o.after(e.within())
			e.AskAt = min(e.AskAt, o.after(e.within()/2))
		}
	}
	if !changed {
		return nil
	}
	return o.saveQueue()
}

// open tells whether an entry's vote can still be said: it waits, or was refused
// for nothing but its keys.
func (e *entry) open() bool {
	return e.State == waiting || e.State == refused && strings.HasPrefix(strings.TrimPrefix(e.Reason, attemptRefused), codeRetired+": ")
}

// verdict is the service's last word on an entry, if it is that. A service that
// has not heard yet of the switch to the spare keys will.
func (e *entry) verdict(err error) (reason string, isFinal bool) {
	if e.Spare && hasCode(err, codeRetired) {
		return "", false
	}
	return verdict(err)
}
