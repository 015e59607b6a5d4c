//go:build kms

package kms

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/candor-ota/candor/signer/keyring"
	"github.com/hashicorp/vault/api"
)

// awsCodes are error codes of AWS KMS.
var awsCodes = map[string]error{
	"NotFoundException":           keyring.ErrNoKey,
	"AccessDeniedException":       keyring.ErrDeclined,
	"DisabledException":           keyring.ErrDeclined,
	"KMSInvalidStateException":    keyring.ErrDeclined,
	"InvalidKeyUsageException":    keyring.ErrKind,
	"KeyUnavailableException":     keyring.ErrUnreachable,
	"DependencyTimeout":           keyring.ErrUnreachable,
	"KMSInternalException":        keyring.ErrUnreachable,
	"ServiceUnavailable":          keyring.ErrUnreachable,
	"ThrottlingException":         keyring.ErrUnreachable,
	"UnrecognizedClientException": keyring.ErrDeclined,
}

// explain names an error of a service by what it means to the person.
func explain(err error) error {
	var aws interface{ ErrorCode() string }
	if errors.As(err, &aws) && awsCodes[aws.ErrorCode()] != nil {
		return fmt.Errorf("%w: %w", awsCodes[aws.ErrorCode()], err)
	}
	var vault *api.ResponseError
	if errors.As(err, &vault) {
		switch {
		case vault.StatusCode == http.StatusForbidden:
			return fmt.Errorf("%w: %w", keyring.ErrDeclined, err)
		case vault.StatusCode >= http.StatusInternalServerError:
			return fmt.Errorf("%w: %w", keyring.ErrUnreachable, err)
		}
	}
	if strings.HasPrefix(err.Error(), "could not read data from transit key path") { // hashivault's word for 404
		return fmt.Errorf("%w: %w", keyring.ErrNoKey, err)
	}
	var network net.Error
	if errors.As(err, &network) {
		return fmt.Errorf("%w: %w", keyring.ErrUnreachable, err)
	}
	return err
}
