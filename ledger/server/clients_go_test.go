//go:build cgo

package server_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	tb "github.com/tigerbeetle/tigerbeetle-go"
)

// runGoClient runs the script with TigerBeetle's Go client and returns the lines.
func runGoClient(t *testing.T, address string) (lines []string) {
	t.Helper()
	client, err := tb.NewClient(tb.ToUint128(clusterID), []string{address})
	require.NoError(t, err)
	defer client.Close()
	return runGoScript(t, client)
}

func runGoScript(t *testing.T, client tb.Client) (lines []string) {
	t.Helper()
	script := readScript(t)
	alone := newGoRun(&script, client, 0)
	require.NoError(t, alone.runSteps(script.Steps))
	clock := newScriptClock(alone.answers)
	for _, a := range alone.answers {
		lines = append(lines, a.formatLine(&script, a.step.Name, clock))
	}
	lines = append(lines, runGoCallers(t, &script, client)...)
	last := newGoRun(&script, client, 0)
	require.NoError(t, last.runSteps(script.Concurrent.After))
	for _, a := range last.answers {
		lines = append(lines, a.formatLine(&script, a.step.Name, nil))
	}
	return lines
}

// runGoCallers runs the concurrent steps of the script, with a goroutine for each caller. The callers share the clients.
func runGoCallers(t *testing.T, script *clientScript, clients ...tb.Client) (lines []string) {
	t.Helper()
	var (
		callers sync.WaitGroup
		runs    = make([]*goRun, script.Concurrent.Callers)
		errs    = make([]error, len(runs))
	)
	for i := range runs {
		runs[i] = newGoRun(script, clients[i%len(clients)], script.Concurrent.Stride*int64(i+1))
		callers.Go(func() { errs[i] = runs[i].runSteps(script.Concurrent.Steps) })
	}
	callers.Wait()
	require.NoError(t, errors.Join(errs...))
	for i, run := range runs {
		for _, a := range run.answers {
			lines = append(lines, a.formatLine(script, fmt.Sprintf("caller %d: %s", i+1, a.step.Name), nil))
		}
	}
	return lines
}

// goRun runs steps one after the other, as one caller of the client.
type goRun struct {
	script  *clientScript
	client  tb.Client
	offset  *big.Int                 // added to the ids of one caller
	rows    map[string]reflect.Value // of earlier steps, by the step's name
	answers []scriptAnswer
}

func newGoRun(script *clientScript, client tb.Client, offset int64) *goRun {
	return &goRun{script: script, client: client, offset: big.NewInt(offset), rows: map[string]reflect.Value{}}
}

func (r *goRun) runSteps(steps []scriptStep) error {
	for _, step := range steps {
		if step.SleepMilliseconds > 0 {
			<-time.After(time.Duration(step.SleepMilliseconds) * time.Millisecond)
			continue
		}
		if !step.runsOn("go") {
			continue
		}
		rows, err := r.callClient(step)
		answer := scriptAnswer{step: step}
		switch {
		case errors.Is(err, tb.ErrTooMuchData):
			answer.err = "too_much_data"
		case err != nil:
			return fmt.Errorf("%s: %w", step.Name, err)
		default:
			r.rows[step.Name] = reflect.ValueOf(rows)
			answer.rows = r.readRows(step, r.rows[step.Name])
		}
		r.answers = append(r.answers, answer)
	}
	return nil
}

// callClient calls the client's operation of the step. The rows are a slice of the client's records.
func (r *goRun) callClient(step scriptStep) (rows any, err error) {
	switch step.Operation {
	case "create_accounts":
		return callGo(r, step, r.client.CreateAccounts)
	case "create_transfers":
		return callGo(r, step, r.client.CreateTransfers)
	case "lookup_accounts":
		return callGo(r, step, r.client.LookupAccounts)
	case "lookup_transfers":
		return callGo(r, step, r.client.LookupTransfers)
	case "get_account_transfers":
		return callGo(r, step, takeFilter(r.client.GetAccountTransfers))
	case "get_account_balances":
		return callGo(r, step, takeFilter(r.client.GetAccountBalances))
	case "query_accounts":
		return callGo(r, step, takeFilter(r.client.QueryAccounts))
	case "query_transfers":
		return callGo(r, step, takeFilter(r.client.QueryTransfers))
	case "get_change_events":
		return callGo(r, step, takeFilter(r.client.GetChangeEvents))
	}
	return nil, fmt.Errorf("the Go client has no %s", step.Operation)
}

func takeFilter[F, R any](call func(F) ([]R, error)) func([]F) ([]R, error) {
	return func(filters []F) ([]R, error) { return call(filters[0]) }
}

func callGo[E, R any](r *goRun, step scriptStep, call func([]E) ([]R, error)) (rows any, err error) {
	events := []E{}
	for _, source := range step.Events {
		if err := appendEvents(r, &events, r.script.Operations[step.Operation].Event, source); err != nil {
			return nil, err
		}
	}
	return call(events)
}

// appendEvents appends the event of the script, repeated with the following ids if the script asks for it.
func appendEvents[E any](r *goRun, events *[]E, record string, source scriptEvent) error {
	count := int64(1)
	numbers := map[string]*big.Int{}
	for field, value := range source {
		number, err := r.parseValue(record, field, value)
		if err != nil {
			return fmt.Errorf("%s: %w", field, err)
		}
		if field == "repeat" {
			count = number.Int64()
		} else {
			numbers[field] = number
		}
	}
	for range count {
		var event E
		target := reflect.ValueOf(&event).Elem()
		for field, number := range numbers {
			setField(findField(target, field), number)
		}
		*events = append(*events, event)
		if count > 1 {
			numbers["id"] = new(big.Int).Add(numbers["id"], big.NewInt(1))
		}
	}
	return nil
}

// parseValue returns the number of a field: named flags, a reference, or a number.
func (r *goRun) parseValue(record, field string, value json.RawMessage) (*big.Int, error) {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return parseNumber(text, r.offset)
	}
	if field == "flags" {
		var names []string
		if err := json.Unmarshal(value, &names); err != nil {
			return nil, err
		}
		sum := uint64(0)
		for _, name := range names {
			sum += r.script.Flags[record][name]
		}
		return new(big.Int).SetUint64(sum), nil
	}
	var ref reference
	if err := json.Unmarshal(value, &ref); err != nil {
		return nil, err
	}
	rows := r.rows[ref.Step]
	if !rows.IsValid() || rows.Len() == 0 {
		return nil, fmt.Errorf("the step %q has no rows", ref.Step)
	}
	row := ref.Row
	if row < 0 {
		row += rows.Len()
	}
	timestamp := getNumber(findField(rows.Index(row), "timestamp"))
	return timestamp.Add(timestamp, big.NewInt(ref.Add)), nil
}

// findField returns the client's field by the script's name, e.g. UserData128 for user_data_128. An id has only itself.
func findField(record reflect.Value, field string) reflect.Value {
	if record.Type() == reflect.TypeFor[tb.Uint128]() {
		return record
	}
	name := strings.ReplaceAll(field, "_", "")
	return record.FieldByNameFunc(func(s string) bool { return strings.EqualFold(s, name) })
}

func setField(target reflect.Value, number *big.Int) {
	if target.Type() == reflect.TypeFor[tb.Uint128]() {
		target.Set(reflect.ValueOf(tb.BigIntToUint128(number)))
		return
	}
	target.SetUint(number.Uint64())
}

func getNumber(source reflect.Value) *big.Int {
	if wide, ok := source.Interface().(tb.Uint128); ok {
		return wide.BigInt()
	}
	return new(big.Int).SetUint64(source.Uint())
}

// readRows returns the fields of rows by the names of the script.
func (r *goRun) readRows(step scriptStep, rows reflect.Value) []scriptRow {
	fields := r.script.Fields[r.script.Operations[step.Operation].Result]
	read := make([]scriptRow, rows.Len())
	for i := range read {
		read[i] = scriptRow{}
		for _, field := range fields {
			read[i][field] = getNumber(findField(rows.Index(i), field))
		}
	}
	return read
}
