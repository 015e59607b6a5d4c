package manifests

// ReleaseSpec names the form of Release; a change of meaning changes it.
const ReleaseSpec = "candor-release-v1"

// MaxReleaseBytes bounds a release document, signed or authored.
const MaxReleaseBytes = 128 << 10

// Release is what the engineers of a product sign, offline, by threshold. The
// handset obeys nothing else: what the online service says can only narrow it.
type Release struct {
	Spec          string        `json:"spec"`
	Product       Product       `json:"product"`
	Version       string        `json:"version"` // for people, at most 64 characters
	Build         Build         `json:"build"`
	SecurityEpoch SecurityEpoch `json:"securityEpoch"`
	Compatible    Compatible    `json:"compatible"`
	Images        []Image       `json:"images"`
	NotBefore     Time          `json:"notBefore"`    // pace counts from here
	OfferUntil    Time          `json:"offerUntil"`   // handsets refuse it afterwards
	SupportUntil  Time          `json:"supportUntil"` // security fixes until then
	Pace          []PaceStep    `json:"pace"`
	Urgency       Urgency       `json:"urgency"`
	Risk          Risk          `json:"risk"`
	Fixes         Text          `json:"fixes"` // one sentence per language
	Notes         Text          `json:"notes"`
	Privacy       PrivacyLabel  `json:"privacy"`
	Consent       Consent       `json:"consent"`
	Offline       bool          `json:"offline,omitempty"`  // may be installed from a bundle by its owner
	LabAhead      bool          `json:"labAhead,omitempty"` // frees handsets in lab mode from pace
	Rollback      *Rollback     `json:"rollback,omitempty"`
	Votes         VoteRules     `json:"votes"`
	Provenance    *Blob         `json:"provenance,omitempty"` // in-toto statement of how it was built; no handset reads it
	SBOM          *SBOM         `json:"sbom,omitempty"`       // what is inside; likewise
}

// Compatible says which handsets a release is for.
type Compatible struct {
	Models   []Name `json:"models"`
	MinBuild Build  `json:"minBuild,omitempty"` // the lowest build that it installs over; 0 is any
}

// Image is one raw image of one slot, and where its bytes come from.
type Image struct {
	Slot    Name    `json:"slot"` // "system", "boot", …
	Size    int64   `json:"size"` // bytes
	SHA256  SHA256  `json:"sha256"`
	Index   Blob    `json:"index"` // the table of chunks, format of package image
	Pack    Blob    `json:"pack"`  // the chunks, one frame each
	Patches []Patch `json:"patches,omitempty"`
}

// Blob is a published file, named by its content.
type Blob struct {
	SHA256 SHA256 `json:"sha256"`
	Size   int64  `json:"size"` // bytes
}

// Patch turns one older image into this one. The table is signed by itself so
// that nothing behind it is decoded before its hash is known.
type Patch struct {
	FromSHA256 SHA256 `json:"fromSha256"`
	Table      Blob   `json:"table"`
	BodySize   int64  `json:"bodySize"`
}

// PaceStep allows a share of at most MaxShare once After has passed since
// notBefore. Before the first step nobody may install.
type PaceStep struct {
	After    Duration `json:"after"`
	MaxShare SharePPM `json:"maxSharePPM"`
}

// Kind is how strongly an owner is asked.
type Kind string

// The kinds, from gentle to strong. None overrides battery floors, consent, or
// a metered network without the owner's word.
const (
	KindOptional Kind = "optional" // waits to be chosen
	KindNormal   Kind = "normal"   // installs by itself, restarts in the owner's window
	KindCritical Kind = "critical" // restarts at its deadline
)

// Urgency bounds what an online rollout may demand of an owner.
type Urgency struct {
	MaxKind          Kind     `json:"maxKind"`
	MinDeferral      Duration `json:"minDeferral"`                // an owner may always put it off this long
	EarliestDeadline *Time    `json:"earliestDeadline,omitempty"` // required when maxKind is critical
}

// Risk says why a release exists.
type Risk string

// The risks.
const (
	RiskSecurity Risk = "security"
	RiskFix      Risk = "fix"
	RiskFeature  Risk = "feature"
)

// Text is one text in several languages, keyed by language tag ("en", "zh",
// "pt-br"). "en" is always there.
type Text map[string]string

// In gives the text in the language asked for, its base language, or English.
func (t Text) In(language string) string {
	for ; language != ""; language = parentLanguage(language) {
		if s, ok := t[language]; ok {
			return s
		}
	}
	return t["en"]
}

// Rollback marks a release that carries an older image under a new build. It
// installs only over the builds in From.
type Rollback struct {
	Contents Build   `json:"contents"`
	From     []Build `json:"from"`
}

// VoteRules carries the public keys under which outcomes of this release are
// counted, and the fewest votes on which a halt may rest. The keys are signed
// here, offline, so that the service cannot give one handset a key of its own.
type VoteRules struct {
	MinToHalt uint32      `json:"minToHalt"` // at least 5
	Primary   *VoteKeySet `json:"primary,omitempty"`
	Spare     *VoteKeySet `json:"spare,omitempty"` // to switch to after a leak or a restore
}

// VoteKeySet has one ristretto255 public key for each class of vote.
type VoteKeySet struct {
	Attempt    VoteKey `json:"attempt"`
	Trial      VoteKey `json:"trial"`
	Refusal    VoteKey `json:"refusal"`
	Regression VoteKey `json:"regression"`
}
