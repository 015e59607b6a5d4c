package ceremony

// The commands of this program that a runbook tells people to type. A test of
// the command line looks whether each of them exists.
const (
	commandSign    = "event sign"
	commandStatus  = "event status"
	commandMerge   = "event merge"
	commandPublish = "event publish"
)
