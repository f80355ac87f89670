package main

import (
	"errors"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// configFault is an error in the configuration file with its place: names of fields, and indices of
// lists.
type configFault struct {
	err  error
	path []string
}

func (f *configFault) Error() string { return f.err.Error() }
func (f *configFault) Unwrap() error { return f.err }

// faultAt notes the place of an error.
func faultAt(err error, path ...string) error { return &configFault{err, path} }

// faultIn notes the place of an error in an element of a list. field is the field, or several ones with
// commas between.
func faultIn(err error, list string, index int, field string) error {
	first, _, _ := strings.Cut(field, ",")
	return faultAt(err, list, strconv.Itoa(index), first)
}

// placedFault is a fault as config check shows it.
type placedFault struct {
	File  string `json:"file"`
	Line  int    `json:"line,omitempty"`  // 0 if the fault has no line
	Field string `json:"field,omitempty"` // as in peers[0].credit_line
	Error string `json:"error"`
}

// placeFaults returns the faults of a configuration with their lines.
func placeFaults(file string, content []byte, err error) []placedFault {
	var root yaml.Node
	_ = yaml.Unmarshal(content, &root) // a file with wrong syntax has no nodes, and the error has the line
	var list []placedFault
	for _, e := range flattenErrors(err) {
		list = append(list, placeFault(file, &root, e)...)
	}
	return list
}

// placeFault returns an error with its line: by the place of a configFault, or as the YAML parser says.
func placeFault(file string, root *yaml.Node, err error) (list []placedFault) {
	if fault, ok := errors.AsType[*configFault](err); ok {
		return []placedFault{{File: file, Line: findLine(root, fault.path), Field: joinPath(fault.path), Error: formatError(err)}}
	}
	for text := range strings.Lines(formatError(err)) {
		text = strings.TrimSpace(text)
		if m := yamlLine.FindStringSubmatch(text); m != nil {
			line, _ := strconv.Atoi(m[1]) // digits
			list = append(list, placedFault{File: file, Line: line, Error: m[2]})
		} else if text != "unmarshal errors:" {
			list = append(list, placedFault{File: file, Error: text})
		}
	}
	return list
}

// yamlLine matches a line of an error of the YAML parser.
var yamlLine = regexp.MustCompile(`^line (\d+): (.*)$`)

// flattenErrors returns the single errors that errors.Join has joined, one a line.
func flattenErrors(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var texts []string
	var list []error
	for _, e := range joined.Unwrap() {
		texts = append(texts, e.Error())
		list = append(list, flattenErrors(e)...)
	}
	if strings.Join(texts, "\n") != err.Error() { // an error that wraps several, as with two verbs %w
		return []error{err}
	}
	return list
}

// findLine returns the line of the last part of a path that the file has; 0 without nodes.
func findLine(root *yaml.Node, path []string) int {
	if len(root.Content) == 0 {
		return 0
	}
	node := root.Content[0]
	line := node.Line
	for _, name := range path {
		child, at := findChild(node, name)
		if child == nil {
			break
		}
		node, line = child, at
	}
	return line
}

// findChild returns the value of a field or the element of a list, and its line.
func findChild(node *yaml.Node, name string) (*yaml.Node, int) {
	switch node.Kind { //nolint:exhaustive // the others have no children with names
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == name {
				return node.Content[i+1], node.Content[i].Line
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(name); err == nil && i < len(node.Content) {
			return node.Content[i], node.Content[i].Line
		}
	}
	return nil, 0
}

// joinPath writes a path as in peers[0].credit_line.
func joinPath(path []string) string {
	var text strings.Builder
	for i, name := range path {
		_, err := strconv.Atoi(name)
		switch {
		case err == nil && i > 0:
			text.WriteString("[" + name + "]")
		case i > 0 && name != "":
			text.WriteString("." + name)
		default:
			text.WriteString(name)
		}
	}
	return text.String()
}
