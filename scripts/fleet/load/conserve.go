package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/scripts/figure"
)

// counted is what the service has counted, by build.
type counted map[manifests.Build]map[vote.Class]int64

// of is the count of a cell.
func (c counted) of(at cell) int64 { return c[at.build][at.class] }

// counts asks for the votes on the builds, or with none on all that are signed.
func (f *fleet) counts(ctx context.Context, builds []manifests.Build) (counted, error) {
	if builds == nil {
		var list struct {
			Releases []struct {
				Build manifests.Build `json:"build"`
			} `json:"releases"`
		}
		if err := f.ask(ctx, "/v1/products/"+string(f.o.Product)+"/releases", &list); err != nil {
			return nil, err
		}
		for _, r := range list.Releases {
			builds = append(builds, r.Build)
		}
	}
	out := counted{}
	for _, b := range builds {
		var c struct{ Attempts, Trials int64 }
		if err := f.ask(ctx, fmt.Sprintf("/v1/products/%s/releases/%d/counts", f.o.Product, b), &c); err != nil {
			return nil, err
		}
		out[b] = map[vote.Class]int64{vote.Attempt: c.Attempts, vote.Trial: c.Trials}
	}
	return out, nil
}

// ask reads from the operator API.
func (f *fleet) ask(ctx context.Context, path string, into any) (err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.o.Servers[0]+path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+f.o.Token)
	response, err := f.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxFile))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s: %s", path, response.Status, firstLine(string(body)))
	}
	return json.Unmarshal(body, into)
}

// shown is how long counts may take to show what was acknowledged; see
// votes.showEvery in the server's README.
const shown = 10 * time.Second

// conserved holds what was acknowledged against what was counted: no less may
// be, and no more but for votes whose answer was lost.
func (f *fleet) conserved(ctx context.Context, before counted) ([]figure.Row, error) {
	t := &tally{acknowledged: map[cell]int64{}, unsure: map[cell]int64{}}
	for _, r := range f.outboxes() {
		t.add(r)
	}
	builds := slices.Sorted(maps.Keys(before))
	var after counted
	var rows []figure.Row
	for end := time.Now().Add(shown); ; {
		var err error
		if after, err = f.counts(ctx, builds); err != nil {
			return nil, err
		}
		var held bool
		if rows, held = t.rows(before, after); held || time.Now().After(end) {
			return append(rows, figure.AtMost("votes still in outboxes", float64(t.waiting), "votes", 0)), nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// rows are the account, and whether it is even.
func (t *tally) rows(before, after counted) (rows []figure.Row, held bool) {
	var acknowledged, unsure, grown, lost, invented int64
	for b := range after {
		for _, class := range []vote.Class{vote.Attempt, vote.Trial} {
			at := cell{b, class}
			more := after.of(at) - before.of(at)
			acknowledged, unsure, grown = acknowledged+t.acknowledged[at], unsure+t.unsure[at], grown+more
			lost += max(t.acknowledged[at]-more, 0)
			invented += max(more-t.acknowledged[at]-t.unsure[at], 0)
		}
	}
	return []figure.Row{
		figure.Of("votes acknowledged", float64(acknowledged), "votes"),
		figure.Of("votes sent whose answer was lost", float64(unsure), "votes"),
		figure.Of("votes counted by the service", float64(grown), "votes"),
		figure.AtMost("conservation: acknowledged and not counted", float64(lost), "votes", 0),
		figure.AtMost("conservation: counted and never sent", float64(invented), "votes", 0),
	}, lost == 0 && invented == 0
}
