package evidence

import (
	"bytes"
	"encoding/json"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/audit"
)

// chain checks that the rows are one unbroken part of a log, that they begin
// with the rollout's creation and end with what was done to it last.
func (c *check) chain() {
	before := c.failures()
	var chain audit.Chain
	own := 0
	for i := range c.b.Rows {
		if c.about(i) {
			own++
		}
		if err := chain.Add(c.b.Rows[i].Entry); err != nil {
			c.fail("audit log", "%v", err)
			return
		}
	}
	first, last := c.b.Rows[0], len(c.b.Rows)-1
	if !c.about(0) || first.What != created {
		c.fail("audit log", "begins with entry %d (%s of %s), not with the making of the rollout", first.Seq, first.What, first.Subject)
	}
	if !c.about(last) {
		c.fail("audit log", "ends with entry %d, which is about %s", c.b.Rows[last].Seq, c.b.Rows[last].Subject)
	}
	head := audit.Head(c.b.Head)
	if head.Seq < chain.Head.Seq || head.Seq == chain.Head.Seq && head.Hash != chain.Head.Hash {
		c.fail("audit log", "its head (entry %d) is not what the last entry here (%d) leads to", head.Seq, chain.Head.Seq)
	}
	if c.failures() == before {
		c.hold("audit log", "entries %d to %d follow from one another, %d of them about this rollout; the head is entry %d: %s",
			chain.First, chain.Head.Seq, own, head.Seq, head.Hash.Words())
	}
}

// created is what the first entry about a rollout says.
const created = "rollout.create"

// about tells whether a row is about the rollout.
func (c *check) about(i int) bool { return c.b.Rows[i].Subject == string(c.b.ID) }

// open says what the bundle cannot prove.
func (c *check) open() []string {
	out := []string{}
	if c.report.Issued != nil {
		out = append(out, "Anything after "+manifests.At(*c.report.Issued).String()+": expiry was judged as of that moment, when the service signed last, and newer metadata would not show here.")
	}
	if c.standing != nil && c.standing.Release == nil {
		out = append(out, "The release: the engineers do not sign it at that moment (it was withdrawn), so its pace and limits are not in the bundle.")
	}
	out = append(out,
		"Whether the votes were counted truly: no report can be told from another, and the counts are the service's word.",
		"Whether the log was written anew as a whole: nobody signs it. Compare the head above with one that was noted elsewhere at the time.",
		"Who the people are: names and identities are as the service knew them.",
		"The images: `candor-signer verify --blobs` reads those.")
	if last := c.b.Rows[len(c.b.Rows)-1].Seq; c.b.Head.Seq > last {
		out = append(out, "Entries of the log after the last that is here: an export (`candor-server audit export`) shows that they lead to the head.")
	}
	return out
}

// same compares two values of one type by their JSON.
func same[T any](a, b T) bool {
	x, err := json.Marshal(a)
	y, other := json.Marshal(b)
	return err == nil && other == nil && bytes.Equal(x, y)
}
