// Package jsonline writes what commands print for programs: one JSON object a line, each of
// which says which format it has.
package jsonline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// Format is the number of the format, in the field "json" of each object. Fields may be added
// under the same number. One that is taken away, or means something else, takes another.
const Format = 1

// Write writes a value that JSON makes an object of. The error is that of w, or says that it
// is none.
func Write(w io.Writer, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	fields, ok := bytes.CutPrefix(text, []byte("{"))
	if !ok {
		return fmt.Errorf("jsonline: a %T is no JSON object", value)
	}
	separator := ","
	if string(fields) == "}" {
		separator = ""
	}
	_, err = fmt.Fprintf(w, "{\"json\":%d%s%s\n", Format, separator, fields)
	return err
}
