package server_test

import (
	"bufio"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/ledger/server"
)

// line is a line of a recording: what a proxy between a client and a TigerBeetle saw.
type line struct {
	Number int     `json:"n"`
	Millis float64 `json:"t_ms"`
	Conn   int     `json:"conn"`
	Event  string  `json:"event"` // connect, message or close
	By     string  `json:"by"`    // who closed
	Dir    string  `json:"dir"`   // c>s or s>c
	Action string  `json:"action"`
	Hex    string  `json:"header"`
	Body   string  `json:"body"`
	Body64 string  `json:"body64"`

	header vsr.Header
	body   []byte
}

func (l *line) fromClient() bool { return l.Event == "message" && l.Dir == "c>s" }
func (l *line) fromServer() bool { return l.Event == "message" && l.Dir == "s>c" }

// readRecordings reads the recordings of testdata/recorded, or of the folder in PEERLEDGER_WIRE, by
// the names of their files.
func readRecordings(t *testing.T) map[string][]*line {
	t.Helper()
	folder := filepath.Join("testdata", "recorded")
	if other := os.Getenv("PEERLEDGER_WIRE"); other != "" {
		folder = other
	}
	paths, err := filepath.Glob(filepath.Join(folder, "*.jsonl*"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	recordings := map[string][]*line{}
	for _, path := range paths {
		name, _, _ := strings.Cut(filepath.Base(path), ".jsonl")
		recordings[name] = readRecording(t, path)
	}
	return recordings
}

func readRecording(t *testing.T, path string) (lines []*line) {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	var text io.Reader = file
	if strings.HasSuffix(path, ".gz") {
		text, err = gzip.NewReader(file)
		require.NoError(t, err)
	}
	scanner := bufio.NewScanner(text)
	scanner.Buffer(nil, 8<<20)
	for scanner.Scan() {
		l := new(line)
		require.NoError(t, json.Unmarshal(scanner.Bytes(), l), "%s, line %d", path, len(lines)+1)
		header, err := hex.DecodeString(l.Hex)
		require.NoError(t, err)
		copy(l.header[:], header)
		if l.Body64 != "" {
			l.body, err = base64.StdEncoding.DecodeString(l.Body64)
		} else {
			l.body, err = hex.DecodeString(l.Body)
		}
		require.NoError(t, err)
		lines = append(lines, l)
	}
	require.NoError(t, scanner.Err())
	require.NotEmpty(t, lines)
	return lines
}

// timestampsOf returns the offsets of the timestamps in the body of a reply. Those in its trailer
// are not timestamps and are equal anyway.
func timestampsOf(o server.Operation, size int) (offsets []int) {
	row, fields := 128, []int{120}
	switch o.String() {
	case "create_accounts", "create_transfers":
		row, fields = 16, []int{0}
	case "get_account_balances", "get_account_balances_unbatched":
		fields = []int{64}
	case "get_change_events":
		row, fields = 384, []int{352, 360, 368, 376}
	case "register", "noop", "create_accounts_sparse", "create_transfers_sparse", "create_accounts_unbatched", "create_transfers_unbatched":
		return nil
	}
	for at := 0; at+row <= size; at += row {
		for _, field := range fields {
			offsets = append(offsets, at+field)
		}
	}
	return offsets
}
