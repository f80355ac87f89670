package trace_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/ilp"
	"github.com/peerledger/peerledger/internal/trace"
	"github.com/peerledger/peerledger/ledger"
)

// sampleFile is the trace that the tests damage. Its lines, from 1:
//
//	1 config; 2, 3 packet 1, answered by the connector itself;
//	4, 5, 8, 9 packet 2, alice to bob, fulfilled; 6, 7, 11, 12 packet 3, bob to
//	alice, rejected; 10 settle_out; 13 settle_in; 14, 15 balances
const sampleFile = "testdata/sample.jsonl"

func sampleLines(tb testing.TB) []string {
	tb.Helper()
	text, err := os.ReadFile(sampleFile)
	require.NoError(tb, err)
	return strings.SplitAfter(strings.TrimSuffix(string(text), "\n"), "\n")
}

func readLines(lines []string) (*trace.Trace, error) {
	return trace.Read(strings.NewReader(strings.Join(lines, "")), sampleFile)
}

// requireLineError requires an error at the line, and no trace.
func requireLineError(t *testing.T, got *trace.Trace, err error, line int, why string) {
	t.Helper()
	require.Nil(t, got)
	var lineErr *trace.LineError
	require.ErrorAs(t, err, &lineErr)
	require.Equal(t, line, lineErr.Line, "%v", err)
	require.Equal(t, sampleFile, lineErr.File)
	require.ErrorContains(t, err, fmt.Sprintf("%s:%d: ", sampleFile, line))
	require.ErrorContains(t, err, why)
}

func TestRead(t *testing.T) {
	t.Parallel()
	got, err := readLines(sampleLines(t))
	require.NoError(t, err)

	units := ledger.NewAmount
	require.Equal(t, []trace.Peer{
		{
			ID: "alice", AssetCode: "USD", AssetScale: 9, CreditLine: units(5000),
			Final: trace.Position{Receivable: units(500)},
		},
		{
			ID: "bob", AssetCode: "USD", AssetScale: 9, Unlimited: true,
			Settle: &trace.Settle{Threshold: trace.Position{Payable: units(1000)}, To: trace.Position{Payable: units(100)}},
			Final:  trace.Position{Payable: units(100)},
		},
	}, got.Peers)

	at := func(line, ms int) trace.Origin {
		return trace.Origin{Line: line, At: time.Duration(ms) * time.Millisecond}
	}
	expiry := time.Date(2026, 11, 23, 1, 47, 30, 0, time.UTC)
	toBob := &trace.Forward{
		Origin: at(5, 5), ID: 2, From: "alice", To: "bob", In: 1500, Out: 1490,
		Condition: hashFulfillment(2), InExpiry: expiry.Add(time.Second), OutExpiry: expiry,
	}
	toAlice := &trace.Forward{
		Origin: at(7, 7), ID: 3, From: "bob", To: "alice", In: 200, Out: 200,
		Condition: hashFulfillment(3), InExpiry: expiry.Add(time.Second), OutExpiry: expiry,
	}
	require.Equal(t, []trace.Event{
		toBob,
		toAlice,
		&trace.Answer{Origin: at(8, 9), Forward: toBob, Fulfilled: true},
		&trace.SettleOut{Origin: at(10, 9), Peer: "bob", Amount: units(1390)},
		&trace.Answer{Origin: at(11, 11), Forward: toAlice},
		&trace.SettleIn{Origin: at(13, 15), Peer: "alice", Amount: units(1000)},
	}, got.Events)
	require.Same(t, got.Events[0], got.Events[2].(*trace.Answer).Forward)
	require.Equal(t, at(5, 5), got.Events[0].Where())
	require.Equal(t, sampleFile, got.Name)
}

func TestReadWithoutLastLineEnd(t *testing.T) {
	t.Parallel()
	lines := sampleLines(t)
	require.NotContains(t, lines[len(lines)-1], "\n")
	_, err := readLines(lines)
	require.NoError(t, err)
	lines[len(lines)-1] += "\n"
	_, err = readLines(lines)
	require.NoError(t, err)
}

// refusal is a replacement for a line of the sample, and the error expected for it.
type refusal struct {
	line int
	text string
	want string
}

func testRefusals(t *testing.T, refusals map[string]refusal) {
	t.Helper()
	for name, c := range refusals {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines := sampleLines(t)
			lines[c.line-1] = c.text + "\n"
			got, err := readLines(lines)
			requireLineError(t, got, err, c.line, c.want)
		})
	}
}

// TestReadRefusesLine covers every kind of line.
func TestReadRefusesLine(t *testing.T) {
	t.Parallel()
	testRefusals(t, map[string]refusal{
		"no JSON":              {5, "hello", "not a JSON object"},
		"an empty line":        {5, "", "not a JSON object"},
		"an array":             {5, "[]", "not a JSON object"},
		"two objects":          {5, `{"ms":5,"ev":"in"}{}`, "not a JSON object"},
		"null":                 {5, "null", "ms is missing"},
		"no ev":                {5, `{"ms":5}`, `ev "" is not an event`},
		"unknown ev":           {5, `{"ms":5,"ev":"settle"}`, `ev "settle" is not an event`},
		"no ms":                {5, `{"ev":"in"}`, "ms is missing"},
		"negative ms":          {5, `{"ms":-5,"ev":"in"}`, "cannot unmarshal number -5"},
		"ms is no whole":       {5, `{"ms":5.5,"ev":"in"}`, "cannot unmarshal number 5.5"},
		"ms overflows":         {5, `{"ms":18446744073709551616,"ev":"in"}`, "cannot unmarshal number"},
		"ms too large":         {5, `{"ms":9223372036855,"ev":"in"}`, "ms 9223372036855 is out of range"},
		"ms falls":             {5, `{"ms":4,"ev":"in"}`, "ms 4 is before the line above it, 5"},
		"no config first":      {1, `{"ms":0,"ev":"settle_in","peer":"bob","amount":"1"}`, `ev "settle_in": the first line`},
		"config twice":         {5, `{"ms":5,"ev":"config","peers":{}}`, `ev "config": the first line, and no other`},
		"a cut last line":      {15, `{"ms":20,"ev":"balance","peer":"bob","bal`, "not a JSON object"},
		"more than a megabyte": {5, strings.Repeat(" ", 1<<20), "a line of more than 1048576 bytes"},
	})
}

// TestReadRefusesPacket covers in, out, out_reply and in_reply.
func TestReadRefusesPacket(t *testing.T) {
	t.Parallel()
	testRefusals(t, map[string]refusal{
		"no id":             {4, formatLine("in", `"alice"`, "null", encodePrepare(2)), "id is missing"},
		"negative id":       {4, formatLine("in", `"alice"`, "-2", encodePrepare(2)), "cannot unmarshal number -2"},
		"id overflows":      {4, formatLine("in", `"alice"`, "18446744073709551616", encodePrepare(2)), "cannot unmarshal number"},
		"no peer":           {4, formatLine("in", "null", "2", encodePrepare(2)), `peer "" is not in the config`},
		"unknown peer":      {4, formatLine("in", `"eve"`, "2", encodePrepare(2)), `peer "eve" is not in the config`},
		"no packet":         {4, `{"ms":5,"ev":"in","id":2,"peer":"alice"}`, "packet is missing"},
		"out to a stranger": {5, formatLine("out", `"eve"`, "2", encodePrepare(2)), `peer "eve" is not in the config`},
		"reply of stranger": {8, formatLine("out_reply", `"eve"`, "2", encodeFulfill(2)), `peer "eve" is not in the config`},
		"reply to stranger": {9, formatLine("in_reply", `"eve"`, "2", encodeFulfill(2)), `peer "eve" is not in the config`},
		"bad base64":        {4, formatLine("in", `"alice"`, "2", "DEY!"), "packet is not base64"},
		"base64 without =":  {4, formatLine("in", `"alice"`, "2", "DQ"), "packet is not base64"},
		"no ILP packet":     {4, formatLine("in", `"alice"`, "2", "aGVsbG8="), "ilp: malformed packet: type at byte 0"},
		"in is a FULFILL":   {4, formatLine("in", `"alice"`, "2", encodeFulfill(2)), "the packet is a FULFILL, want a PREPARE"},
		"out is a REJECT":   {5, formatLine("out", `"bob"`, "2", encodeReject()), "the packet is a REJECT, want a PREPARE"},
		"reply a PREPARE":   {8, formatLine("out_reply", `"bob"`, "2", encodePrepare(2)), "the packet is a PREPARE, want a FULFILL or a REJECT"},
		"in_reply PREPARE":  {9, formatLine("in_reply", `"alice"`, "2", encodePrepare(2)), "the packet is a PREPARE, want a FULFILL or a REJECT"},
		"id of before":      {4, formatLine("in", `"alice"`, "1", encodePrepare(2)), "id 1 was used on line 2"},
		"out without in":    {5, formatLine("out", `"bob"`, "9", encodePrepare(2)), `"out" for packet 9, which was never received`},
		"out of a closed":   {5, formatLine("out", `"bob"`, "1", encodePrepare(0)), `"out" for packet 1, which is answered to the peer that it came from`},
		"other condition":   {5, formatLine("out", `"bob"`, "2", encodePrepare(7)), "another condition"},
		"reply unasked":     {8, formatLine("out_reply", `"bob"`, "9", encodeFulfill(2)), `"out_reply" for packet 9, which was never received`},
		"reply without out": {5, formatLine("out_reply", `"bob"`, "2", encodeFulfill(2)), `"out_reply" for packet 2, which is received and not forwarded`},
		"reply of another":  {8, formatLine("out_reply", `"alice"`, "2", encodeFulfill(2)), `peer "alice" replies to packet 2, which was forwarded to "bob"`},
		"wrong fulfillment": {8, formatLine("out_reply", `"bob"`, "2", encodeFulfill(7)), "the fulfillment does not match"},
		"out_reply twice":   {9, formatLine("out_reply", `"bob"`, "2", encodeFulfill(2)), `"out_reply" for packet 2, which is answered by the peer`},
		"in_reply unasked":  {9, formatLine("in_reply", `"alice"`, "9", encodeFulfill(2)), `"in_reply" for packet 9, which was never received`},
		"in_reply early":    {8, formatLine("in_reply", `"alice"`, "2", encodeFulfill(2)), `"in_reply" for packet 2, which is forwarded and not answered`},
		"in_reply twice":    {4, formatLine("in_reply", `"alice"`, "1", encodeFulfill(0)), `"in_reply" for packet 1, which is answered to`},
		"in_reply to bob":   {9, formatLine("in_reply", `"bob"`, "2", encodeFulfill(2)), `peer "bob" gets the reply to packet 2, which came from "alice"`},
		"in_reply differs":  {9, formatLine("in_reply", `"alice"`, "2", encodeReject()), "the reply to packet 2 is not the one on line 8"},
		"money kept":        {5, formatLine("in_reply", `"alice"`, "2", encodeFulfill(2)), "packet 2 moved 1500 units and was not forwarded"},
	})
}

// TestReadRefusesMoney covers settle_out, settle_in and balance.
func TestReadRefusesMoney(t *testing.T) {
	t.Parallel()
	testRefusals(t, map[string]refusal{
		"settle with a stranger":  {10, `{"ms":9,"ev":"settle_out","peer":"eve","amount":"1"}`, `peer "eve" is not in the config`},
		"settle without amount":   {10, `{"ms":9,"ev":"settle_out","peer":"bob"}`, `amount "" is not a whole number`},
		"settle a JSON number":    {10, `{"ms":9,"ev":"settle_out","peer":"bob","amount":1}`, "cannot unmarshal number"},
		"settle less than 0":      {13, `{"ms":15,"ev":"settle_in","peer":"bob","amount":"-1"}`, `amount "-1" is not a whole number`},
		"settle a fraction":       {13, `{"ms":15,"ev":"settle_in","peer":"bob","amount":"1.5"}`, `amount "1.5" is not a whole number`},
		"settle 2^128":            {13, `{"ms":15,"ev":"settle_in","peer":"bob","amount":"340282366920938463463374607431768211456"}`, "above 2^128-1"},
		"balance of a stranger":   {14, `{"ms":20,"ev":"balance","peer":"eve","balance":"1"}`, `peer "eve" is not in the config`},
		"balance without balance": {14, `{"ms":20,"ev":"balance","peer":"bob"}`, "balance: "},
		"balance of two signs":    {14, `{"ms":20,"ev":"balance","peer":"bob","balance":"--1"}`, "balance: "},
		"balance twice":           {15, `{"ms":20,"ev":"balance","peer":"alice","balance":"500"}`, `a second balance line of peer "alice"`},
		"not after a balance":     {15, `{"ms":20,"ev":"settle_in","peer":"alice","amount":"1"}`, `ev "settle_in" after a balance line`},
	})
}

// formatLine returns a line of an exchange. Its ms is the time of line 9, late enough for every
// test. peer and id are JSON.
func formatLine(ev, peer, id, packet string) string {
	return fmt.Sprintf(`{"ms":9,"ev":%q,"id":%s,"peer":%s,"packet":%q}`, ev, id, peer, packet)
}

// hashFulfillment returns the condition of the fulfillment that ends in key.
func hashFulfillment(key byte) [32]byte {
	fulfillment := [32]byte{31: key}
	return sha256.Sum256(fulfillment[:])
}

func encodePrepare(key byte) string {
	return encodePacket(ilp.Prepare{Amount: 1, Condition: hashFulfillment(key), Destination: "test.hub.bob"})
}

func encodeFulfill(key byte) string { return encodePacket(ilp.Fulfill{Fulfillment: [32]byte{31: key}}) }

func encodeReject() string { return encodePacket(ilp.Reject{Code: "F99"}) }

func encodePacket(p ilp.Packet) string {
	b, err := p.AppendBinary(nil)
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(b)
}

// TestReadRefusesIncomplete takes lines away. The error names the line at fault, not always the
// last.
func TestReadRefusesIncomplete(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		remove []int
		line   int
		want   string
	}{
		"no out_reply and no in_reply": {[]int{8, 9}, 4, "packet 2 is forwarded and not answered at the end"},
		"no in_reply":                  {[]int{9}, 4, "packet 2 is answered by the peer that it was forwarded to at the end"},
		"the first of two":             {[]int{8, 9, 11, 12}, 4, "packet 2 is forwarded and not answered"},
		"a packet not answered at all": {[]int{3}, 2, "packet 1 is received and not forwarded at the end"},
		"no balance of bob":            {[]int{15}, 15, "the trace ends without the balance line of bob"},
		"no balances":                  {[]int{14, 15}, 14, "without the balance line of alice, bob"},
		"cut after the config":         {[]int{2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, 2, "without the balance line of alice, bob"},
		"nothing":                      {[]int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, 1, "the trace is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var lines []string
			for i, text := range sampleLines(t) {
				if !slices.Contains(c.remove, i+1) {
					lines = append(lines, text)
				}
			}
			got, err := readLines(lines)
			requireLineError(t, got, err, c.line, c.want)
		})
	}
}

// TestReadRefusesEveryCut cuts the file at every byte.
func TestReadRefusesEveryCut(t *testing.T) {
	t.Parallel()
	whole := strings.Join(sampleLines(t), "")
	for n := range len(whole) {
		got, err := trace.Read(strings.NewReader(whole[:n]), sampleFile)
		line := 1 + strings.Count(whole[:n], "\n")
		if whole[n] == '\n' { // the line is complete, the next one is missing
			line++
		}
		requireLineError(t, got, err, line, "")
	}
}

func TestReadReportsReadError(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk on fire")
	half := strings.Join(sampleLines(t)[:3], "") + `{"ms":5,"ev`
	got, err := trace.Read(io.MultiReader(strings.NewReader(half), iotest.ErrReader(broken)), sampleFile)
	requireLineError(t, got, err, 4, "reading: disk on fire")
	require.ErrorIs(t, err, broken)
}

// FuzzRead requires a trace or a *[trace.LineError] for any input, and a consistent trace.
func FuzzRead(f *testing.F) {
	lines := sampleLines(f)
	f.Add([]byte(strings.Join(lines, "")))
	f.Add([]byte(strings.Join(lines[:13], "")))
	f.Add([]byte(lines[0] + lines[13] + lines[14]))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := trace.Read(bytes.NewReader(text), sampleFile)
		if err != nil {
			require.Nil(t, got)
			var lineErr *trace.LineError
			require.ErrorAs(t, err, &lineErr)
			require.Positive(t, lineErr.Line)
			return
		}
		open := 0
		for _, event := range got.Events {
			switch event.(type) {
			case *trace.Forward:
				open++
			case *trace.Answer:
				open--
			}
			require.GreaterOrEqual(t, open, 0)
		}
		require.Zero(t, open)
		require.NotEmpty(t, got.Peers)
	})
}

// A newer format is refused by its number. A trace without a format is of the first format.
func TestFormat(t *testing.T) {
	t.Parallel()
	config := `"ms":0,"ev":"config","peers":{"bob":{"assetCode":"USD","assetScale":9,"balance":{}}}}` + "\n"
	final := `{"ms":0,"ev":"balance","peer":"bob","balance":"0"}` + "\n"
	for text, want := range map[string]string{
		"{" + config + final:                        "",
		`{"format":1,` + config + final:             "",
		"\ufeff{" + config + final:                  "", // a byte order mark
		`{"format":2,` + config + final:             "t.jsonl:1: trace of format 2, this program reads up to 1",
		`{"format":0,` + config + final:             "t.jsonl:1: format 0: formats start at 1",
		"{" + config + `{"format":1,` + final[1:]:   "t.jsonl:2: format is allowed only on the first line",
		"{" + config + "\ufeff" + final:             "t.jsonl:2: not a JSON object",
		`{"format":"one",` + config + final:         "t.jsonl:1: not a JSON object",
		"\ufeff\ufeff{" + config + final:            "t.jsonl:1: not a JSON object",
		`{"format":18446744073709551616,` + config:  "t.jsonl:1: not a JSON object",
		`{"format":4294967295,"ms":0,"ev":"other"}`: "t.jsonl:1: trace of format 4294967295, this program reads up to 1",
	} {
		_, err := trace.Read(strings.NewReader(text), "t.jsonl")
		if want == "" {
			require.NoError(t, err, text)
		} else {
			require.ErrorContains(t, err, want, text)
		}
	}
}
