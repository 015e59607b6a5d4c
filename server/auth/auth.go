package auth

import "errors"

// The refusals.
var (
	ErrUnauthorized = errors.New("a valid token, or signing in, is needed")
	ErrForbidden    = errors.New("this identity may not do that")
)
