// Package jsonline writes the output of commands for programs: one JSON object a line, each with
// the number of the format ([Format]).
package jsonline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// Format is the number of the format, in the field "json" of each object. New fields keep the
// number. The number changes when a field is removed or changes its meaning.
const Format = 1

// Write writes a value as one line. It returns the errors of w, and an error for a value that is
// not a JSON object.
func Write(w io.Writer, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	fields, ok := bytes.CutPrefix(text, []byte("{"))
	if !ok {
		return fmt.Errorf("jsonline: a %T is not a JSON object", value)
	}
	separator := ","
	if string(fields) == "}" {
		separator = ""
	}
	_, err = fmt.Fprintf(w, "{\"json\":%d%s%s\n", Format, separator, fields)
	return err
}
