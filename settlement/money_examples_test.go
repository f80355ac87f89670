package settlement_test

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// moneyExample is a row of the table of worked examples in docs/money.md.
type moneyExample struct {
	at, settleTo int64
	line         uint64
	continues    int    // number of the row whose steps come first
	steps        string // separated by commas
	figures      exampleFigures
}

// exampleFigures are the figures of a row; order is the amount of the next round's order.
type exampleFigures struct{ position, prepaid, arrears, order int64 }

// moneyExamples are the rows, numbered from 1. Defaults: threshold 10, settle_to 0, no line.
var moneyExamples = []moneyExample{
	{steps: "receive 100", figures: exampleFigures{100, 100, 0, 0}},
	{steps: "receive 100, earn 50", figures: exampleFigures{150, 100, 0, 50}},
	{steps: "receive 100, earn 50, send 30", figures: exampleFigures{120, 70, 0, 50}},
	{steps: "receive 20, earn 50, send 45", figures: exampleFigures{25, 0, 0, 25}},
	{line: 100, steps: "send 70, receive 100", figures: exampleFigures{30, 30, 0, 0}},
	{line: 100, steps: "send 60, earn 60, receive 60", figures: exampleFigures{60, 60, 0, 0}},
	{line: 100, steps: "send 60, receive 60, earn 60", figures: exampleFigures{60, 0, 0, 60}},
	{line: 1000, steps: "earn 1000, send 1000, receive 100", figures: exampleFigures{100, 100, 0, 0}},
	{at: 500, steps: "earn 500, round over 500", figures: exampleFigures{-500, 0, 500, 0}},
	{at: 500, continues: 9, steps: "earn 500, round", figures: exampleFigures{0, 0, 0, 0}},
	{at: 500, line: 300, steps: "earn 500, round over 500", figures: exampleFigures{-500, 0, 200, 0}},
	{at: 500, line: 300, continues: 11, steps: "earn 150, round", figures: exampleFigures{-350, 0, 50, 0}},
	{steps: "receive 100, earn 50, round over 30", figures: exampleFigures{70, 70, 0, 0}},
	{steps: "receive 1000, send 900, returned 1000", figures: exampleFigures{-900, 0, 900, 0}},
	{continues: 14, steps: "earn 300, round, receive 600, round, earn 40", figures: exampleFigures{40, 0, 0, 40}},
	{steps: "receive 100, send 100, earn 70, returned 100", figures: exampleFigures{-30, 0, 30, 0}},
	{line: 100, steps: "hold 80, expire, send 100, late", figures: exampleFigures{-180, 0, 80, 0}},
	{steps: "receive 100, hold 100, debit 30", figures: exampleFigures{70, 70, 30, 0}},
	{continues: 18, steps: "reject, round", figures: exampleFigures{70, 70, 0, 0}},
	{line: 100, steps: "earn 50, look, send 20, withdrawn", figures: exampleFigures{30, 0, 0, 30}},
	{steps: "earn 50, look, send 20, receive 20, withdrawn", figures: exampleFigures{50, 20, 0, 30}},
	{steps: "receive 100, earn 100, send 100, round pending, returned 100, round", figures: exampleFigures{-100, 0, 100, 0}},
	{at: -10, settleTo: -50, line: 50, figures: exampleFigures{0, 0, 0, 50}},
	{at: -10, settleTo: -50, line: 50, continues: 23, steps: "round, earn 40", figures: exampleFigures{-10, 0, 0, 40}},
	{settleTo: -20, line: 100, steps: "receive 60, earn 20", figures: exampleFigures{80, 60, 0, 20}},
}

// TestMoneyExamples runs the worked examples, and compares the figures with the table in docs/money.md.
func TestMoneyExamples(t *testing.T) {
	t.Parallel()
	written := readExamples(t)
	for i, example := range moneyExamples {
		t.Run(strconv.Itoa(i+1), func(t *testing.T) {
			t.Parallel()
			if written != nil {
				require.Equal(t, written[i], example.figures, "docs/money.md")
			}
			synctest.Test(t, func(t *testing.T) { example.runExample(t) })
		})
	}
}

func (e moneyExample) runExample(t *testing.T) {
	t.Helper()
	if e.at == 0 && e.settleTo == 0 {
		e.at = 10
	}
	d := newMoneyFixture(t, embedded.New(), accounts.Config{}, newThreshold(e.at, e.settleTo))
	p := d.provisionPeer("alice", e.line)
	steps := e.steps
	if e.continues > 0 {
		steps = moneyExamples[e.continues-1].steps + ", " + steps
	}
	player := newScenarioPlayer(d, p)
	for _, step := range strings.FieldsFunc(steps, func(r rune) bool { return r == ',' }) {
		player.steps = append(player.steps, exampleStep(strings.Fields(step)))
	}
	for i, step := range player.steps {
		result := player.applyStep(i)
		require.False(t, result.Refused, step)
		require.Equal(t, step.Result.Withdrawn, result.Withdrawn, step)
	}
	b := d.readBalance(p)
	figures := exampleFigures{b.Position().Int64(), toInt64(b.Prepaid), toInt64(b.Arrears), toInt64(d.engine.Due(b))}
	require.Equal(t, e.figures, figures)
	require.Equal(t, uint64(e.figures.order), d.finishRound(p, "", 0).ordered, "in the next round")
}

// exampleStep translates a step of a row into a step of a scenario.
func exampleStep(words []string) moneyStep {
	step := moneyStep{Do: words[0]}
	if n := len(words); n > 1 {
		step.Amount, _ = strconv.ParseUint(words[n-1], 10, 64)
	}
	switch step.Do {
	case "hold":
		step.Do = "hold-in"
	case "late":
		step.Do = "late-fulfill"
	case "round":
		if len(words) > 1 {
			step.Rail = words[1]
		}
	case "withdrawn":
		step.Do, step.Result.Withdrawn = "round", true
	}
	return step
}

// readExamples reads the table of docs/money.md; nil if the page is missing.
func readExamples(t *testing.T) (rows []exampleFigures) {
	t.Helper()
	page, err := os.ReadFile("../docs/money.md")
	if os.IsNotExist(err) {
		t.Log("docs/money.md is not there: its table is not compared")
		return nil
	}
	require.NoError(t, err)
	header := regexp.MustCompile(`(?m)^\| *# *\| *events *\| *position *\| *prepaid *\| *arrears *\| *order *\|$`)
	start := header.FindIndex(page)
	require.NotNil(t, start, "docs/money.md has the table of worked examples")
	for line := range strings.Lines(string(page[start[1]+1:])) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 6 {
			break
		}
		number, err := strconv.Atoi(strings.TrimSpace(cells[0]))
		if err != nil {
			continue // the line under the header
		}
		require.Equal(t, len(rows)+1, number, "the rows are numbered")
		var figures [4]int64
		for i := range figures {
			cell := strings.TrimSpace(cells[i+2])
			if cell != "-" {
				figures[i], err = strconv.ParseInt(cell, 10, 64)
				require.NoError(t, err, line)
			}
		}
		rows = append(rows, exampleFigures{figures[0], figures[1], figures[2], figures[3]})
	}
	require.Len(t, rows, len(moneyExamples), "rows of the table in docs/money.md")
	return rows
}
