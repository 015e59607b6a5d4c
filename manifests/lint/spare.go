package lint

import (
	"encoding/json"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
)

// spare reads the builds whose votes are under their spare keys, by the very
// rules that handsets read them by.
func (r *report) spare(f *File, raw json.RawMessage) {
	if raw == nil {
		return
	}
	var value any
	if json.Unmarshal(raw, &value) != nil {
		return // said of the whole file
	}
	var err error
	if f.Spare, err = layout.SpareVotes(map[string]any{layout.FieldSpare: value}); err != nil {
		r.add(place{RuleForm, layout.FieldSpare, nil}, makeAgain, "%v", err)
	}
}

// spareBuilds holds them against the releases that are signed.
func (r *report) spareBuilds(product manifests.Product, f *File) {
	signed := func(b manifests.Build) bool { _, ok := f.Targets[layout.ReleasePath(product, b)]; return ok }
	if err := layout.CheckSpareVotes(f.Spare, nil, signed); err != nil {
		r.add(place{RuleField, layout.FieldSpare, f.Spare}, makeAgain, "%v", err)
	}
}
