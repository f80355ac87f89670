package server_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// clientScript is testdata/clients/script.json. README.md beside it describes the parts.
type clientScript struct {
	Operations map[string]struct{ Event, Result string } `json:"operations"`
	Flags      map[string]map[string]uint64              `json:"flags"`
	Fields     map[string][]string                       `json:"fields"`
	Steps      []scriptStep                              `json:"steps"`
	Concurrent struct {
		Callers int          `json:"callers"`
		Stride  int64        `json:"stride"`
		Steps   []scriptStep `json:"steps"`
		After   []scriptStep `json:"after"`
	} `json:"concurrent"`
}

// scriptStep is one call of a client, or a pause.
type scriptStep struct {
	Name              string        `json:"name"`
	Operation         string        `json:"operation"`
	SleepMilliseconds int           `json:"sleep_milliseconds"`
	Clients           []string      `json:"clients"` // empty: all clients
	Summary           []string      `json:"summary"` // fields; rows that are equal in these fields are counted
	Events            []scriptEvent `json:"events"`
}

// scriptEvent is one event or filter of a call. A field that is not named is 0.
type scriptEvent map[string]json.RawMessage

// reference is the value of a field that depends on the timestamp of an earlier step's row.
type reference struct {
	Step string `json:"step"`
	Row  int    `json:"row"` // negative: from the end
	Add  int64  `json:"add"`
}

var clientsFolder = filepath.Join("testdata", "clients")

func readScript(t *testing.T) (script clientScript) {
	t.Helper()
	file, err := os.Open(filepath.Join(clientsFolder, "script.json"))
	require.NoError(t, err)
	defer file.Close() //nolint:errcheck // only read
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&script))
	return script
}

// runsOn reports whether a client has the operation and the fields of the step.
func (s scriptStep) runsOn(client string) bool {
	return len(s.Clients) == 0 || slices.Contains(s.Clients, client)
}

// parseNumber returns the number that a text of the script stands for. offset is the caller's.
func parseNumber(text string, offset *big.Int) (*big.Int, error) {
	base, sign := new(big.Int), int64(1)
	digits := text
	if rest, ok := strings.CutPrefix(text, "max"); ok {
		base.Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1))
		digits, sign = strings.TrimPrefix(rest, "-"), -1
	} else if rest, ok := strings.CutPrefix(text, "caller+"); ok {
		base.Set(offset)
		digits = rest
	}
	if text == "max" {
		return base, nil
	}
	number, ok := new(big.Int).SetString(digits, 10)
	if !ok {
		return nil, fmt.Errorf("%q is no number", text)
	}
	return base.Add(base, number.Mul(number, big.NewInt(sign))), nil
}

// Each step uses only operations, fields and flags that the script declares, and each name of a step is unique.
func TestScriptIsWellFormed(t *testing.T) {
	t.Parallel()
	script := readScript(t)
	names := map[string]bool{}
	steps := slices.Concat(script.Steps, script.Concurrent.Steps, script.Concurrent.After)
	for i, step := range steps {
		if i == len(script.Steps) {
			names = map[string]bool{}
		}
		require.False(t, names[step.Name], "two steps %q", step.Name)
		names[step.Name] = true
		if step.SleepMilliseconds > 0 {
			continue
		}
		require.Contains(t, script.Operations, step.Operation, step.Name)
		record := script.Operations[step.Operation].Event
		for _, event := range step.Events {
			for field, value := range event {
				require.Contains(t, append(script.Fields[record], "repeat"), field, step.Name)
				if field == "flags" {
					requireFlags(t, script.Flags[record], value, step.Name)
				}
			}
		}
	}
}

func requireFlags(t *testing.T, known map[string]uint64, value json.RawMessage, step string) {
	t.Helper()
	var flags []string
	require.NoError(t, json.Unmarshal(value, &flags), step)
	for _, flag := range flags {
		require.Contains(t, known, flag, step)
	}
}
