package api

import (
	"context"
	"testing"
	"time"

	"github.com/candor-ota/candor/server/overload"
)

// Lanes are the lanes by the name that the figures give them.
func (a *API) Lanes() map[string]*overload.Lane { return a.lanes.named() }

// Fill takes all turns of a lane that are left, until empty is called.
func Fill(l *overload.Lane) (empty func()) {
	var leaves []func()
	ended, cancel := context.WithCancel(context.Background())
	cancel() // nothing is waited for
	for {
		leave, err := l.Enter(ended)
		if err != nil {
			break
		}
		leaves = append(leaves, leave)
	}
	return func() {
		for _, leave := range leaves {
			leave()
		}
	}
}

// SourcesOf is what a release page says of the images that patches start from.
var SourcesOf = sourcesOf

// Reach has one page of the audit log search no further than that for a name,
// until the test is over.
func Reach(t interface{ Cleanup(func()) }, entries int64) {
	before := auditReach
	auditReach = entries
	t.Cleanup(func() { auditReach = before })
}

// ParseMark and MarkText read and write the place of a rollout on a list.
var (
	ParseMark = parseMark
	MarkText  = markText
)

// SetLiveHeartbeat is for services that are assembled from then on.
func SetLiveHeartbeat(t testing.TB, d time.Duration) {
	was := liveHeartbeat
	liveHeartbeat = d
	t.Cleanup(func() { liveHeartbeat = was })
}

// DocumentsParsed is how many release documents were read for their images.
func (a *API) DocumentsParsed() int {
	a.images.mu.Lock()
	defer a.images.mu.Unlock()
	return a.images.parsed
}
