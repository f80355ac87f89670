package ledgertest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// scenario is a list of requests to a ledger, with the answers that the ledger must give.
// testdata/README.md describes the notation.
type scenario struct {
	name  string
	steps []step
}

// step is one request with its answer, or a sleep.
type step interface {
	runOn(p *scenarioRunner)
}

// origin is the place of a statement in a file, for messages.
type origin struct {
	file      string
	line      int
	statement string
}

func (o origin) String() string { return fmt.Sprintf("%s:%d: %s", o.file, o.line, o.statement) }

// errNotation is matched by all errors of parseScenarios.
var errNotation = errors.New("ledgertest: invalid scenario")

// parser turns the lines of one file into scenarios.
type parser struct {
	at        origin
	scenarios []scenario
	// mayJoin is set while the next event may join the request before it.
	mayJoin bool
}

// parseScenarios reads scenarios. An error names the file and the line.
func parseScenarios(file string, r io.Reader) ([]scenario, error) {
	p := parser{at: origin{file: file}}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		p.at.line++
		if err := p.parseLine(lines.Text()); err != nil {
			return nil, fmt.Errorf("%w: %s:%d: %q: %w", errNotation, file, p.at.line, p.at.statement, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%w: %s:%d: %w", errNotation, file, p.at.line, err)
	}
	return p.scenarios, nil
}

func (p *parser) parseLine(line string) error {
	p.at.statement = strings.TrimSpace(line)
	if line == "" || strings.HasPrefix(line, "#") {
		return nil
	}
	if name, ok := strings.CutPrefix(line, "V "); ok {
		p.scenarios = append(p.scenarios, scenario{name: name})
		p.mayJoin = false
		return nil
	}
	if len(p.scenarios) == 0 {
		return errors.New("a statement before the first V")
	}
	for statement := range strings.SplitSeq(line, ";") {
		p.at.statement = strings.TrimSpace(statement)
		if err := p.parseStatement(); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) parseStatement() error {
	left, right, _ := strings.Cut(p.at.statement, "->")
	words := strings.Fields(left)
	if len(words) == 0 {
		return errors.New("an empty statement")
	}
	keyword, w, want := words[0], &arguments{words[1:]}, strings.Fields(right)
	switch keyword {
	case "A":
		return p.addAccount(w, want)
	case "T":
		return p.addTransfer(w, want)
	case ".":
		p.mayJoin = false
		return w.expectEnd()
	}
	p.mayJoin = false
	kind, ok := statementKinds[keyword]
	switch {
	case !ok:
		return fmt.Errorf("unknown statement %q", keyword)
	case kind.hasAnswer && len(want) == 0:
		return errors.New("the answer after -> is missing")
	case !kind.hasAnswer && len(want) > 0:
		return errors.New("this kind of statement takes no answer")
	}
	s, err := kind.parse(p.at, w, want)
	if err != nil {
		return err
	}
	p.addStep(s)
	return w.expectEnd()
}

// statementKind is a kind of statement that makes a request of its own. (A and T statements do not:
// several in a row make one request.) Some kinds have their answer after an arrow.
type statementKind struct {
	parse     func(at origin, w *arguments, want []string) (step, error)
	hasAnswer bool
}

var statementKinds = map[string]statementKind{
	"B":     {parse: parseBalances},
	"X":     {parse: parseStored},
	"E":     {parse: parseEvents},
	"sleep": {parse: parseSleep},
	"G":     {parse: parseAccountTransfers, hasAnswer: true},
	"H":     {parse: parseAccountBalances, hasAnswer: true},
	"Q":     {parse: parseQueryTransfers, hasAnswer: true},
	"QA":    {parse: parseQueryAccounts, hasAnswer: true},
}

func (p *parser) addStep(s step) {
	current := &p.scenarios[len(p.scenarios)-1]
	current.steps = append(current.steps, s)
}

// lastStep returns the step that a further event may join, or nil.
func (p *parser) lastStep() step {
	steps := p.scenarios[len(p.scenarios)-1].steps
	if !p.mayJoin || len(steps) == 0 {
		return nil
	}
	return steps[len(steps)-1]
}
