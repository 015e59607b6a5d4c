package live

import (
	"slices"
	"strconv"
	"strings"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

// The topics that have no name of their own in them.
const (
	rollouts = "rollouts"
	events   = "events"
	auditLog = "audit"
	people   = "people"
	keys     = "keys"
	system   = "system"
)

// topicsOf tells which answers an entry of the audit log changes.
func topicsOf(e store.Entry, product manifests.Product) []string {
	list := []string{auditLog}
	family, _, _ := strings.Cut(e.What, ".")
	switch family {
	case "rollout":
		list = append(list, rollouts, "rollout/"+e.Subject)
	case "event":
		list = append(list, events, "event/"+e.Subject, keys)
	case "token", "auth":
		list = append(list, people)
	case "hook", "ledger", "batch":
		list = append(list, system)
	case "lab":
		list = append(list, rollouts)
	case "product", "release", "votes":
		list = append(list, keys, rollouts)
	default:
		list = append(list, system)
	}
	if product != "" {
		list = append(list, "product/"+string(product))
	}
	return list
}

// countsOf is the topic of what is shown of a release's votes.
func countsOf(ref vote.Ref) string {
	return "counts/" + string(ref.Product) + "/" + strconv.FormatUint(uint64(ref.Build), 10)
}

// sorted gives a set in an order.
func sorted(set map[string]bool) []string {
	list := make([]string, 0, len(set))
	for t := range set {
		list = append(list, t)
	}
	slices.Sort(list)
	return list
}
