package manifests

import (
	"encoding/json"
	"fmt"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/candor-ota/candor/manifests/strict"
)

// DraftRelease reads a release as its author writes it, in YAML with the field
// names of the JSON form. Fields that the build fills may be left out: spec,
// images, votes, offerUntil (notBefore and DefaultOffer, at most
// supportUntil) and, with a zero result, notBefore. Everything else is as
// strict as ParseRelease; Validate is left to the caller, once it is filled.
func DraftRelease(data []byte) (*Release, error) {
	var d draft
	if err := DecodeYAML(data, MaxReleaseBytes, &d); err != nil {
		return nil, fmt.Errorf("release: %w", err)
	}
	r := Release{
		Spec: ReleaseSpec, Product: d.Product, Version: d.Version, Build: d.Build, SecurityEpoch: d.SecurityEpoch,
		Compatible: d.Compatible, Images: d.Images, SupportUntil: d.SupportUntil, Pace: d.Pace, Urgency: d.Urgency,
		Risk: d.Risk, Fixes: d.Fixes, Notes: d.Notes, Privacy: d.Privacy, Consent: d.Consent, Offline: d.Offline,
		LabAhead: d.LabAhead, Rollback: d.Rollback, Votes: VoteRules{MinToHalt: MinVotes},
	}
	if d.Votes != nil {
		r.Votes = *d.Votes
	}
	if d.NotBefore != nil {
		r.NotBefore = *d.NotBefore
	}
	if d.OfferUntil != nil {
		r.OfferUntil = *d.OfferUntil
	}
	return &r, nil
}

// Start sets the time from which pace counts, and with it the default of
// offerUntil when the author gave none.
func (r *Release) Start(notBefore Time) {
	r.NotBefore = notBefore
	if !r.OfferUntil.IsZero() {
		return
	}
	r.OfferUntil = At(notBefore.Add(DefaultOffer))
	if r.OfferUntil.After(r.SupportUntil.Time) {
		r.OfferUntil = r.SupportUntil
	}
}

type draft struct {
	Product       Product       `json:"product"`
	Version       string        `json:"version"`
	Build         Build         `json:"build"`
	SecurityEpoch SecurityEpoch `json:"securityEpoch"`
	Compatible    Compatible    `json:"compatible"`
	Images        []Image       `json:"images,omitempty"`
	NotBefore     *Time         `json:"notBefore,omitempty"`
	OfferUntil    *Time         `json:"offerUntil,omitempty"`
	SupportUntil  Time          `json:"supportUntil"`
	Pace          []PaceStep    `json:"pace"`
	Urgency       Urgency       `json:"urgency"`
	Risk          Risk          `json:"risk"`
	Fixes         Text          `json:"fixes"`
	Notes         Text          `json:"notes"`
	Privacy       PrivacyLabel  `json:"privacy"`
	Consent       Consent       `json:"consent"`
	Offline       bool          `json:"offline,omitempty"`
	LabAhead      bool          `json:"labAhead,omitempty"`
	Rollback      *Rollback     `json:"rollback,omitempty"`
	Votes         *VoteRules    `json:"votes,omitempty"`
}

// DecodeYAML reads one YAML document of at most limit bytes with the rules of
// strict.Decode. Anchors, aliases, tags and merge keys are refused: what a
// person reads is what is signed.
func DecodeYAML(data []byte, limit int, into any) error {
	if len(data) > limit {
		return refuse("", "%d bytes; at most %d are read", len(data), limit)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return refuse("", "%v", err)
	}
	if len(doc.Content) != 1 {
		return refuse("", "is empty; expected one YAML document")
	}
	text, err := appendYAML(nil, doc.Content[0], "", 0)
	if err != nil {
		return err
	}
	return strict.Decode(text, 4*limit, into)
}

func appendYAML(b []byte, n *yaml.Node, path string, depth int) ([]byte, error) {
	if n.Anchor != "" || n.Kind == yaml.AliasNode || n.Style&yaml.TaggedStyle != 0 {
		return nil, refuse(path, "line %d: anchors, aliases and tags are not allowed", n.Line)
	}
	if depth > strict.MaxDepth {
		return nil, refuse(path, "nested deeper than %d", strict.MaxDepth)
	}
	switch n.Kind {
	case yaml.MappingNode:
		return appendYAMLMap(b, n, path, depth)
	case yaml.SequenceNode:
		b = append(b, '[')
		for i, item := range n.Content {
			if i > 0 {
				b = append(b, ',')
			}
			var err error
			if b, err = appendYAML(b, item, path+"["+strconv.Itoa(i)+"]", depth+1); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	default:
		return appendYAMLScalar(b, n, path)
	}
}

func appendYAMLMap(b []byte, n *yaml.Node, path string, depth int) ([]byte, error) {
	b = append(b, '{')
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode {
			return nil, refuse(path, "line %d: a key that is not a word", key.Line)
		}
		at := key.Value
		if path != "" {
			at = path + "." + key.Value
		}
		if i > 0 {
			b = append(b, ',')
		}
		name, err := json.Marshal(key.Value)
		if err != nil {
			return nil, refuse(path, "%v", err)
		}
		b = append(append(b, name...), ':')
		if b, err = appendYAML(b, n.Content[i+1], at, depth+1); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// appendYAMLScalar keeps numbers and true/false as they are written; every
// other plain word is a string. YAML's "off" stays the word off.
func appendYAMLScalar(b []byte, n *yaml.Node, path string) ([]byte, error) {
	plain := n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
	if plain {
		switch n.ShortTag() {
		case "!!null":
			return nil, refuse(path, "line %d: null is not allowed; leave the field out", n.Line)
		case "!!float":
			return nil, refuse(path, "line %d: fractions are not allowed, only whole numbers", n.Line)
		case "!!int":
			return append(b, n.Value...), nil
		case "!!bool":
			if n.Value == "true" || n.Value == "false" {
				return append(b, n.Value...), nil
			}
		}
	}
	text, err := json.Marshal(n.Value)
	if err != nil {
		return nil, refuse(path, "%v", err)
	}
	return append(b, text...), nil
}
