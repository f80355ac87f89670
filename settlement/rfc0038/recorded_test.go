package rfc0038_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The recorded exchanges of real programs: testdata/recorded/README.md has the format.
// TestRecordedClient (recorded_client_test.go) plays the rows "connector->engine", TestRecordedServer
// the rows "engine->connector".

const (
	toEngine    = "connector->engine"
	toConnector = "engine->connector"
)

// exchange is one recorded request with its answer.
type exchange struct {
	Line      int `json:"-"` // in the file, from 1
	Case      string
	Direction string
	Method    string
	Path      string
	Program   string
	Note      string

	RequestHeaders      recordedHeaders `json:"request_headers"`
	RequestBody         recordedBody    `json:"request_body"`
	RequestBodyEncoding string          `json:"request_body_encoding"`

	Status               *int            `json:"status"` // nil: no answer
	Error                string          `json:"error"`  // if no answer: how
	ResponseHeaders      recordedHeaders `json:"response_headers"`
	ResponseBody         recordedBody    `json:"response_body"`
	ResponseBodyEncoding string          `json:"response_body_encoding"`

	Parallel int            // so many requests at once; 0: one
	Answers  map[string]int // of parallel requests: how often "status body" came
}

// recordedBody is a body; decodeBodies takes the base64 off.
type recordedBody []byte

func (b *recordedBody) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	*b = recordedBody(s)
	return nil
}

// recordedHeaders are headers, where a value is a string or a list of strings.
type recordedHeaders map[string]any

// header returns the headers as net/http has them.
func (h recordedHeaders) header() http.Header {
	out := http.Header{}
	for name, value := range h {
		switch value := value.(type) {
		case []any:
			for _, v := range value {
				out.Add(name, fmt.Sprint(v))
			}
		default:
			out.Add(name, fmt.Sprint(value))
		}
	}
	return out
}

func (x *exchange) decodeBodies(t *testing.T) {
	t.Helper()
	for body, encoding := range map[*recordedBody]string{&x.RequestBody: x.RequestBodyEncoding, &x.ResponseBody: x.ResponseBodyEncoding} {
		switch encoding {
		case "":
		case "base64":
			raw, err := base64.StdEncoding.DecodeString(string(*body))
			require.NoError(t, err)
			*body = raw
		default:
			require.Fail(t, "unknown encoding", encoding)
		}
	}
}

// readRecorded reads a file of exchanges.
func readRecorded(t *testing.T, path string) []exchange {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var rows []exchange
	for i, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		x := exchange{Line: i + 1}
		require.NoError(t, json.Unmarshal(line, &x), "%s:%d", path, i+1)
		x.decodeBodies(t)
		rows = append(rows, x)
	}
	return rows
}

// playRecorded plays the rows of a direction, a subtest a row, as file/case/line. newPlayer is called
// once for each file, and its result for each row in the order of the file. PEERLEDGER_RFC0038 names
// another folder with files of the same format.
func playRecorded(t *testing.T, direction string, newPlayer func(t *testing.T, file string) func(t *testing.T, x *exchange)) {
	t.Helper()
	folder := os.Getenv("PEERLEDGER_RFC0038")
	if folder == "" {
		folder = filepath.Join("testdata", "recorded")
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.jsonl"))
	require.NoError(t, err)
	require.NotEmpty(t, files, "no recorded exchanges in %s", folder)
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".jsonl")
		t.Run(name, func(t *testing.T) {
			play := newPlayer(t, name)
			for _, x := range readRecorded(t, path) {
				if x.Direction == direction {
					t.Run(fmt.Sprintf("%s/%d", x.Case, x.Line), func(t *testing.T) { play(t, &x) })
				}
			}
		})
	}
}
