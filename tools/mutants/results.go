package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// A Result is the outcome of one mutant.
type Result struct {
	Site
	Line    int     `json:"line"` // of the file, at the time of the trial
	Outcome string  `json:"outcome"`
	By      string  `json:"by,omitempty"` // the test that failed, the panic, or the compiler's message
	Near    int     `json:"near"`         // number of tests that execute the place
	Seconds float64 `json:"seconds"`
}

func (r Result) String() string {
	text := fmt.Sprintf("%-9s %s/%s:%d %s %s: %s -> %s", r.Outcome, r.Package, r.File, r.Line, r.Function, r.Operator, r.From, r.To)
	switch {
	case r.By != "":
		text += " [" + r.By + "]"
	case r.Near == 0:
		text += " [no test executes it]"
	}
	return text
}

// readResults reads a file of results, one JSON object a line. Of several results of one site the
// last counts. A last line without its end is cut off the file.
func readResults(name string) (map[Site]Result, error) {
	results := make(map[Site]Result)
	content, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return results, nil
	}
	if err != nil {
		return nil, err
	}
	whole := bytes.LastIndexByte(content, '\n') + 1
	if whole < len(content) {
		if err := os.Truncate(name, int64(whole)); err != nil {
			return nil, err
		}
	}
	lines := bufio.NewScanner(bytes.NewReader(content[:whole]))
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		var r Result
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
		results[r.Site] = r
	}
	return results, lines.Err()
}

// A resultLog appends results to a file. Several goroutines may use a resultLog.
type resultLog struct {
	mu   sync.Mutex
	file *os.File
}

func openResultLog(name string) (*resultLog, error) {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	return &resultLog{file: file}, err
}

func (n *resultLog) writeResult(r Result) error {
	line, err := encodeJSON(r)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	_, err = n.file.Write(line)
	return err
}

// encodeJSON returns a line of JSON with < and & unescaped.
func encodeJSON(v any) ([]byte, error) {
	var line bytes.Buffer
	to := json.NewEncoder(&line)
	to.SetEscapeHTML(false)
	err := to.Encode(v)
	return line.Bytes(), err
}
