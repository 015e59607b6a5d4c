package manifests

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/candor-ota/candor/manifests/strict"
)

// Bounds of one release. They are generous for people and small for parsers.
const (
	MaxImages     = 32      // of one release
	maxImageBytes = 1 << 40 // 1 TiB
	maxPatches    = 64
	maxTableBytes = 8 << 20 // package patch knows the exact limit of its tables
	maxPaceSteps  = 64
	maxModels     = 1024
	maxTextBytes  = 16 << 10
	MinVotes      = 5                    // the fewest votes on which any automatic halt may rest
	DefaultOffer  = 90 * 24 * time.Hour  // offerUntil, when the author gives none
	maxOffer      = 730 * 24 * time.Hour // two years
)

var refuse = strict.Refuse

func at(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// Validate checks everything that a release says about itself. The first
// refusal is returned as a *strict.FieldError that names field and reason.
func (r *Release) Validate() error {
	for _, check := range r.checks() {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// Problems gives all refusals of Validate, one of each part of the document.
func (r *Release) Problems() []error {
	var out []error
	for _, check := range r.checks() {
		if err := check(); err != nil {
			out = append(out, err)
		}
	}
	return out
}

func (r *Release) checks() []func() error {
	return []func() error{
		r.checkIdentity, r.checkImages, r.checkTimes, r.checkPace, r.checkUrgency,
		r.checkTexts, r.checkPrivacy, r.checkRollback, r.checkVotes, r.checkAttached,
	}
}

func (r *Release) checkIdentity() error {
	switch {
	case r.Spec != ReleaseSpec:
		return refuse("spec", "is %q; this program reads %q", clip([]byte(r.Spec)), ReleaseSpec)
	case r.Build == 0:
		return refuse("build", "is 0; the first build is 1")
	case r.Version == "" || len(r.Version) > 64 || strings.ContainsRune(r.Version, '\n'):
		return refuse("version", "needs 1 to 64 characters on one line")
	case len(r.Compatible.Models) == 0:
		return refuse("compatible.models", "is empty; name at least one model")
	case len(r.Compatible.Models) > maxModels:
		return refuse("compatible.models", "has %d entries; at most %d", len(r.Compatible.Models), maxModels)
	case r.Compatible.MinBuild >= r.Build:
		return refuse("compatible.minBuild", "%d is not below the build %d itself", r.Compatible.MinBuild, r.Build)
	}
	return unique("compatible.models", r.Compatible.Models)
}

func unique[T ~string](path string, names []T) error {
	for i, n := range names {
		if slices.Contains(names[:i], n) {
			return refuse(path, "%q is given twice", string(n))
		}
	}
	return nil
}

func (r *Release) checkImages() error {
	if len(r.Images) == 0 || len(r.Images) > MaxImages {
		return refuse("images", "has %d entries; 1 to %d are allowed", len(r.Images), MaxImages)
	}
	slots := make([]Name, len(r.Images))
	for i, m := range r.Images {
		path := at("images", i)
		slots[i] = m.Slot
		for name, size := range map[string]int64{"size": m.Size, "index.size": m.Index.Size, "pack.size": m.Pack.Size} {
			if size <= 0 || size > maxImageBytes {
				return refuse(path+"."+name, "is %d; 1 to %d bytes are allowed", size, int64(maxImageBytes))
			}
		}
		if err := m.checkPatches(path); err != nil {
			return err
		}
	}
	return unique("images", slots)
}

func (m *Image) checkPatches(path string) error {
	if len(m.Patches) > maxPatches {
		return refuse(path+".patches", "has %d entries; at most %d", len(m.Patches), maxPatches)
	}
	for i, p := range m.Patches {
		entry := at(path+".patches", i)
		switch {
		case p.Table.Size <= 0 || p.Table.Size > maxTableBytes:
			return refuse(entry+".table.size", "is %d; 1 to %d bytes are allowed", p.Table.Size, maxTableBytes)
		case p.BodySize <= 0 || p.BodySize > m.Size:
			return refuse(entry+".bodySize", "is %d; 1 to the image's %d bytes are allowed", p.BodySize, m.Size)
		case p.FromSHA256 == m.SHA256:
			return refuse(entry+".fromSha256", "is this image itself")
		case slices.ContainsFunc(m.Patches[:i], func(q Patch) bool { return q.FromSHA256 == p.FromSHA256 }):
			return refuse(entry+".fromSha256", "is given twice")
		}
	}
	return nil
}

func (r *Release) checkTimes() error {
	switch {
	case !r.OfferUntil.After(r.NotBefore.Time):
		return refuse("offerUntil", "%s is not after notBefore %s", r.OfferUntil, r.NotBefore)
	case r.OfferUntil.Sub(r.NotBefore.Time) > maxOffer:
		return refuse("offerUntil", "is more than two years after notBefore")
	case r.OfferUntil.After(r.SupportUntil.Time):
		return refuse("offerUntil", "%s is after supportUntil %s", r.OfferUntil, r.SupportUntil)
	}
	return nil
}

func (r *Release) checkPace() error {
	if len(r.Pace) == 0 || len(r.Pace) > maxPaceSteps {
		return refuse("pace", "has %d steps; 1 to %d are allowed", len(r.Pace), maxPaceSteps)
	}
	for i, s := range r.Pace {
		path := at("pace", i)
		switch {
		case s.MaxShare == 0 || s.MaxShare > WholeFleet:
			return refuse(path+".maxSharePPM", "is %d; 1 to 1000000 parts per million are allowed", s.MaxShare)
		case i > 0 && s.After.Duration <= r.Pace[i-1].After.Duration:
			return refuse(path+".after", "%s is not later than the step before", s.After)
		case i > 0 && s.MaxShare <= r.Pace[i-1].MaxShare:
			return refuse(path+".maxSharePPM", "%d does not widen the step before", s.MaxShare)
		}
	}
	return nil
}

// ShareAfter gives the share that the pace allows once elapsed has passed
// since its start.
func (r *Release) ShareAfter(elapsed time.Duration) SharePPM {
	var share SharePPM
	for _, s := range r.Pace {
		if elapsed >= s.After.Duration {
			share = s.MaxShare
		}
	}
	return share
}

var kinds = []Kind{KindOptional, KindNormal, KindCritical}

// Rank orders kinds from gentle (0) to strong; an unknown kind is -1.
func (k Kind) Rank() int { return slices.Index(kinds, k) }

func (r *Release) checkUrgency() error {
	u := r.Urgency
	switch {
	case u.MaxKind.Rank() < 0:
		return refuse("urgency.maxKind", "is %q; use optional, normal or critical", clip([]byte(u.MaxKind)))
	case u.MaxKind == KindCritical && u.EarliestDeadline == nil:
		return refuse("urgency.earliestDeadline", "missing; a critical release says before when no handset is made to restart")
	case u.EarliestDeadline != nil && u.EarliestDeadline.Before(r.NotBefore.Time):
		return refuse("urgency.earliestDeadline", "%s is before notBefore", u.EarliestDeadline)
	}
	return nil
}

var languageForm = regexp.MustCompile(`^[a-z]{2,3}(-[a-z0-9]{2,8})*$`)

func parentLanguage(tag string) string {
	if i := strings.LastIndexByte(tag, '-'); i >= 0 {
		return tag[:i]
	}
	return ""
}

func checkText(path string, t Text) error {
	if t["en"] == "" {
		return refuse(path+".en", "missing; English is the text of last resort")
	}
	for tag, text := range t {
		switch {
		case !languageForm.MatchString(tag):
			return refuse(path, "%q is not a language tag such as en, zh or pt-br", clip([]byte(tag)))
		case strings.TrimSpace(text) == "":
			return refuse(path+"."+tag, "is empty")
		case len(text) > maxTextBytes || !utf8.ValidString(text):
			return refuse(path+"."+tag, "is not UTF-8 text of at most %d bytes", maxTextBytes)
		}
		if err := strict.CheckText(path+"."+tag, text); err != nil {
			return err
		}
	}
	return nil
}

func (r *Release) checkTexts() error {
	if r.Risk != RiskSecurity && r.Risk != RiskFix && r.Risk != RiskFeature {
		return refuse("risk", "is %q; use security, fix or feature", clip([]byte(r.Risk)))
	}
	if err := checkText("fixes", r.Fixes); err != nil {
		return err
	}
	return checkText("notes", r.Notes)
}

func (r *Release) checkPrivacy() error {
	names := make([]Name, len(r.Privacy.Collects))
	for i, c := range r.Privacy.Collects {
		path := at("privacy.collects", i)
		names[i] = c.Data
		switch {
		case c.Default != Off && c.Default != On:
			return refuse(path+".default", "is %q; use off or on", clip([]byte(c.Default)))
		case !slices.Contains(storages, c.Stored):
			return refuse(path+".stored", "is %q; use none, session or retained", clip([]byte(c.Stored)))
		}
		if err := checkText(path+".purpose", c.Purpose); err != nil {
			return err
		}
	}
	if err := unique("privacy.collects", names); err != nil {
		return err
	}
	if len(r.Privacy.Change) > 0 {
		if err := checkText("privacy.change", r.Privacy.Change); err != nil {
			return err
		}
	}
	if r.Consent.Required || len(r.Consent.Notice) > 0 {
		return checkText("consent.notice", r.Consent.Notice)
	}
	return nil
}

func (r *Release) checkRollback() error {
	if r.Rollback == nil {
		return nil
	}
	if r.Rollback.Contents == 0 || r.Rollback.Contents >= r.Build {
		return refuse("rollback.contents", "%d is not an older build", r.Rollback.Contents)
	}
	if len(r.Rollback.From) == 0 {
		return refuse("rollback.from", "is empty; name the builds that it replaces")
	}
	for i, b := range r.Rollback.From {
		if b == 0 || b >= r.Build || slices.Contains(r.Rollback.From[:i], b) {
			return refuse(at("rollback.from", i), "%d is not an older build, or is given twice", b)
		}
	}
	return nil
}

func (r *Release) checkVotes() error {
	v := r.Votes
	switch {
	case v.MinToHalt < MinVotes:
		return refuse("votes.minToHalt", "is %d; no automatic halt may rest on fewer than %d votes", v.MinToHalt, MinVotes)
	case (v.Primary == nil) != (v.Spare == nil):
		return refuse("votes", "primary and spare keys come together")
	}
	return nil
}
