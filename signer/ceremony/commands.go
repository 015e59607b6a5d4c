package ceremony

// The commands of this program that a runbook tells people to type. A test of
// the command line looks whether each of them exists.
const (
	commandSign    = "sign"
	commandStatus  = "proposal status"
	commandMerge   = "proposal merge"
	commandPublish = "submit"
)
