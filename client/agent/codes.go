package agent

import "github.com/candor-ota/candor/manifests/rollout"

// The codes of waits that are the agent's own; those of policy are package
// rollout's.
const (
	HookCode    rollout.Code = "hook"    // a program of the integrator asked to wait, or failed
	AttemptCode rollout.Code = "attempt" // the restart waits for the report of the attempt
	FailureCode rollout.Code = "error"   // the last step failed
)

// Meaning says what a code means for the owner. The sentences are parts of
// ones: "It ends when …", "You can …".
type Meaning struct {
	Code  rollout.Code
	Means string
	Ends  string // when; empty: only with another build
	Can   string // what the owner can do; empty: nothing
}

// Meanings are all the codes that a status can have. The list only grows, at
// its end: user interfaces know the codes. client/README.md shows it.
func Meanings() []Meaning {
	return []Meaning{
		{rollout.UpToDate, "nothing newer is offered", "a newer build is offered", ""},
		{rollout.NoPolicy, "there is no valid rollouts document, and nothing installs without one", "the maker publishes one", ""},
		{rollout.WrongModel, "it is for another model, region, channel, build or lab", "", ""},
		{rollout.NotScheduled, "the rollout has not begun", "it begins", ""},
		{rollout.HeldCode, "paused by the operators; their reason is shown", "they go on", ""},
		{rollout.HaltedCode, "stopped, superseded or abandoned; the reason is shown", "the next build is offered", ""},
		{rollout.Withdrawn, "offered, but the engineers do not sign it, or sign other bytes; no wish installs it", "they sign it", ""},
		{rollout.TooOld, "it needs a build in between first", "that build is offered", ""},
		{rollout.BelowFloor, "below the security floor of this handset", "", ""},
		{rollout.Expired, "its time of being offered is over", "the next build is offered", "check the clock of the handset"},
		{rollout.Pace, "the signed pace has not reached this handset", "the pace does", "say `now --past-pace`"},
		{rollout.NotInShare, "the rollout has not reached this handset", "its share grows", "say `now`"},
		{rollout.BadTarget, "it did not work here", "the maker lets it be tried once more, or offers another build", "say `retry BUILD`"},
		{rollout.NeedsConsent, "the notice is not answered", "the owner answers", "say `accept BUILD` or `decline BUILD`"},
		{rollout.DeclinedCode, "the owner said no", "the owner says yes", "say `accept BUILD`"},
		{rollout.Postponed, "the owner said later", "that time is over, or the longest signed deferral or the deadline, if that comes first", "say `now`"},
		{rollout.AskFirst, "optional, and not chosen yet", "the owner chooses it", "say `now`"},
		{rollout.Battery, "below `minBattery`, or `abortBattery` once it runs, and no charger", "the battery is charged enough, or a charger is connected", "charge"},
		{rollout.Metered, "the network costs money", "a network is there that does not", "use another network, or say `now --pay-for-data`"},
		{rollout.StorageCode, "not enough room, or images that the boot side has no place for", "there is room", "free some storage"},
		{rollout.BeforeWindow, "installed; the restart waits for the window", "the window opens", "say `now`"},
		{HookCode, "a program of the device maker asked to wait, or failed; its words are shown", "that program lets it go on", "see what it says"},
		{AttemptCode, "installed; the restart waits for the report of the attempt", "the report is acknowledged, after `attemptWait` at the latest", ""},
		{FailureCode, "the last step failed; the sentence says at what", "a later try succeeds", "see what it says; a network may be missing"},
		{rollout.OnlineOnly, "the engineers did not sign it for installation from a bundle", "it is offered by the network", ""},
	}
}

// meaningOf gives what a code means; the zero value for none.
func meaningOf(c rollout.Code) Meaning {
	for _, m := range Meanings() {
		if m.Code == c {
			return m
		}
	}
	return Meaning{Code: c}
}
