package submit

import (
	"errors"
	"fmt"

	"github.com/candor-ota/candor/signer/operate"
)

// Client hands things to one server. It is not safe for concurrent use.
type Client struct{ *operate.Client }

// advised says what to do once all attempts have failed.
func advised(err error) error {
	if errors.Is(err, operate.ErrAgain) {
		return fmt.Errorf("%w; run the command again to go on", err)
	}
	return err
}
