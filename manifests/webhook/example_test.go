package webhook_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/candor-ota/candor/manifests/webhook"
)

// A receiver. It answers with success what it has taken, also before; what it
// could not act on comes again.
func Example() {
	secret, err := webhook.ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=") // from a file
	if err != nil {
		panic(err)
	}
	act := func(e webhook.Event) error { fmt.Println(e.Event, e.Subject, e.Why); return nil }

	var seen webhook.Memory
	receive := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, webhook.MaxBody))
		if err != nil {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		e, err := webhook.Verify(secret, r.Header, body, time.Now(), &seen)
		switch {
		case errors.Is(err, webhook.ErrReplayed): // taken already: say so
		case err != nil:
			http.Error(w, "not taken", http.StatusBadRequest)
			return
		case act(e) != nil:
			seen.GiveBack(e.ID)
			http.Error(w, "try again", http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}

	// What candor-server does, twice.
	body, err := webhook.Event{ID: "chat.7", Event: "rollout.halt", Subject: "43-abc", Why: "boot loops"}.Encode()
	if err != nil {
		panic(err)
	}
	for range 2 {
		r := httptest.NewRequest(http.MethodPost, "/candor", bytes.NewReader(body))
		webhook.Sign(r.Header, []webhook.Secret{secret}, "chat.7", time.Now(), body)
		w := httptest.NewRecorder()
		receive(w, r)
		fmt.Println(w.Code)
	}
	// Output:
	// rollout.halt 43-abc boot loops
	// 204
	// 204
}
