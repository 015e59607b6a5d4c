package operate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/event"
)

// OpenEvent hands a proposal to the server, or what the server's copy of it
// does not have. Again is fine.
func (c *Client) OpenEvent(ctx context.Context, proposal []byte) (api.Event, error) {
	v, err := ask[api.Event](ctx, c, "open event", func(ctx context.Context) (*http.Response, error) {
		return c.API.OpenEventWithBody(ctx, nil, "application/json", bytes.NewReader(proposal))
	})
	return v, aboutEvent("", err)
}

// Events gives a page of events whose IDs begin so: the newest first, open ones
// unless all are asked for.
func (c *Client) Events(ctx context.Context, product, prefix string, all bool, before *int64) (api.EventList, error) {
	params := &api.ListEventsParams{Product: given(product), Id: given(prefix), Before: before}
	if all {
		params.All = &all
	}
	return ask[api.EventList](ctx, c, "list events", func(ctx context.Context) (*http.Response, error) { return c.API.ListEvents(ctx, params) })
}

// Event gives one, by its whole ID.
func (c *Client) Event(ctx context.Context, id string) (api.Event, error) {
	v, err := ask[api.Event](ctx, c, "event "+id[:min(12, len(id))], func(ctx context.Context) (*http.Response, error) { return c.API.GetEvent(ctx, id) })
	return v, aboutEvent(id, err)
}

// Proposal gives the file of an event. Nothing of it is verified.
func (c *Client) Proposal(ctx context.Context, id string) ([]byte, error) {
	var data []byte
	err := c.Again(ctx, func() (bool, error) {
		var err error
		data, err = exchange(ctx, func(ctx context.Context) (*http.Response, error) { return c.API.GetProposal(ctx, id) }, event.MaxProposal)
		return false, err
	})
	if err != nil {
		return nil, aboutEvent(id, fmt.Errorf("event %.12s: %w", id, err))
	}
	return data, nil
}

// AddWords brings signatures and signed rejections. Again is fine.
func (c *Client) AddWords(ctx context.Context, id string, said []event.Said) (api.Event, error) {
	body, err := json.Marshal(map[string]any{"said": said})
	if err != nil {
		return api.Event{}, err
	}
	v, err := ask[api.Event](ctx, c, fmt.Sprintf("event %.12s", id), func(ctx context.Context) (*http.Response, error) {
		return c.API.AddWordsWithBody(ctx, id, nil, "application/json", bytes.NewReader(body))
	})
	return v, aboutEvent(id, err)
}

// Remark says something about an event without a key.
func (c *Client) Remark(ctx context.Context, id, text string, reject bool) (api.Event, error) {
	key := c.Key()
	v, err := ask[api.Event](ctx, c, fmt.Sprintf("event %.12s", id), func(ctx context.Context) (*http.Response, error) {
		return c.API.RemarkOnEvent(ctx, id, &api.RemarkOnEventParams{IdempotencyKey: &key}, api.EventRemarkRequest{Text: text, Reject: &reject})
	})
	return v, aboutEvent(id, err)
}

// PublishEvent publishes what enough people have signed. Again is fine.
func (c *Client) PublishEvent(ctx context.Context, id string) (api.EventPublished, error) {
	v, err := ask[api.EventPublished](ctx, c, fmt.Sprintf("event %.12s", id), func(ctx context.Context) (*http.Response, error) {
		return c.API.PublishEvent(ctx, id, nil)
	})
	return v, aboutEvent(id, err)
}

// eventAdvice says what to do about codes where events are concerned.
var eventAdvice = map[string]string{
	api.CodeNotFound:        "`candor-signer event list` shows the events; `event open FILE` makes one",
	api.CodeMissingBlob:     "`candor-signer event publish … --blobs DIR` uploads what `release build` wrote to DIR",
	api.CodeEventSuperseded: "`candor-signer event renew ID --out FILE` makes it again from what is published now",
	api.CodeEventIncomplete: "`candor-signer event status ID` says who has not signed yet",
	api.CodeEventClosed:     "`candor-signer event status ID` says how it ended",
	api.CodeNotVerified:     "get the proposal again from whoever made it, or make it again",
	api.CodeConflict:        "`candor-signer event status ID` says where it stands",
	api.CodeStale:           "look with `candor-signer event status ID`, then repeat",
}

// aboutEvent notes in a refusal that it is about an event.
func aboutEvent(id string, err error) error {
	var r *Refusal
	if errors.As(err, &r) {
		r.About, r.event = id[:min(12, len(id))], true
	}
	return err
}
