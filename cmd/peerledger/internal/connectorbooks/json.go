package connectorbooks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxDepth bounds the depth of a document. The answers have 7 levels.
const maxDepth = 32

// value is a JSON value with its place. It keeps numbers as they are written, and refuses a field that is given twice:
// one of two amounts would be lost unseen.
type value struct {
	path string // "" for the document
	// kind is '{', '[', '"' or '0' (a number), 't' (true or false) or 'n' (null).
	kind   byte
	text   string  // of a text or a number
	items  []value // of an array
	names  []string
	fields map[string]value // of an object, in the order of names
}

// document reads one file. The first fault is kept, and ends the reading.
type document struct {
	file  string
	fault *FaultError
}

// fail notes a fault, unless there is one.
func (d *document) fail(path, format string, args ...any) {
	if d.fault == nil {
		d.fault = &FaultError{File: d.file, Path: path, Reason: fmt.Sprintf(format, args...)}
	}
}

// err returns the fault as an error.
func (d *document) err() error {
	if d.fault == nil {
		return nil
	}
	return d.fault
}

// parse reads the whole file.
func (d *document) parse(data []byte) value {
	if len(data) > MaxSize {
		d.fail("", "has more than %d bytes", MaxSize)
		return value{}
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	v := d.parseValue(decoder, "", 0)
	if d.fault != nil {
		return value{}
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		d.fail("", "has more than one JSON value")
	}
	return v
}

func (d *document) parseValue(decoder *json.Decoder, path string, depth int) value {
	token, err := decoder.Token()
	if err != nil {
		d.fail(path, "is no JSON near byte %d: %v", decoder.InputOffset(), err)
		return value{}
	}
	v := value{path: path}
	switch t := token.(type) {
	case json.Delim:
		if depth == maxDepth {
			d.fail(path, "has more than %d levels", maxDepth)
			return value{}
		}
		v.kind = byte(t)
		d.parseParts(decoder, &v, depth)
	case json.Number:
		v.kind, v.text = '0', t.String()
	case string:
		v.kind, v.text = '"', t
	case bool:
		v.kind, v.text = 't', fmt.Sprint(t)
	default:
		v.kind = 'n'
	}
	return v
}

// parseParts reads the items of an array, or the fields of an object.
func (d *document) parseParts(decoder *json.Decoder, v *value, depth int) {
	v.fields = map[string]value{}
	for d.fault == nil && decoder.More() {
		if v.kind == '[' {
			v.items = append(v.items, d.parseValue(decoder, fmt.Sprintf("%s[%d]", v.path, len(v.items)), depth+1))
			continue
		}
		token, err := decoder.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			d.fail(v.path, "is no JSON near byte %d", decoder.InputOffset())
			return
		}
		if _, twice := v.fields[name]; twice {
			d.fail(joinPath(v.path, name), "is given twice")
			return
		}
		v.names = append(v.names, name)
		v.fields[name] = d.parseValue(decoder, joinPath(v.path, name), depth+1)
	}
	if d.fault != nil {
		return
	}
	if _, err := decoder.Token(); err != nil { // the closing bracket
		d.fail(v.path, "is no JSON near byte %d: %v", decoder.InputOffset(), err)
	}
}

// joinPath appends a field to a path. Names of foreign files are cut.
func joinPath(path, name string) string {
	if len(name) > 80 || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }) {
		name = fmt.Sprintf("%.60q", name)
	}
	return strings.TrimPrefix(path+"."+name, ".")
}

// describeKind returns the kind of a value in words.
func (v value) describeKind() string {
	switch v.kind {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a text"
	case '0':
		return "a number"
	case 't':
		return "true or false"
	default:
		return "null"
	}
}
