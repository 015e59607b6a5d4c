package release

import (
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/lint"
)

// retires refuses a list that retires what handsets need, or what was not live:
// a build that leaves without a word there was withdrawn.
func (v *verifier) retires(p manifests.Product, f file) error {
	list, _ := lint.Read(f.role, f.data)
	if list == nil || len(list.Retires) == 0 {
		return nil
	}
	return refuseFirst(f.name, lint.CheckRetirement(p, v.live[p], v.state.Offered[p], list.Retires))
}
