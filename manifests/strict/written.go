package strict

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Written reads a document that encoding/json wrote, fields in the order of
// their type, into what into points to; form then writes that again. A document
// that is not the same to the byte is refused: with a field that is unknown or
// there twice, other white space, or anything after its end.
//
// what names the kind of document, such as "a bundle". It is for large documents that are compared as a whole; Decode says more
// about what is wrong.
func Written(what string, data []byte, into any, form func() ([]byte, error)) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("not %s: %w", what, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Refuse("", "data after the end of the document")
	}
	again, err := form()
	if err != nil {
		return err
	}
	if !bytes.Equal(again, data) {
		return Refuse("", "is not in the one form that it is written in (order, white space, a field twice)")
	}
	return nil
}
