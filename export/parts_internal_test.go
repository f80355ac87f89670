package export

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/sealed/sealedtest"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// partsWorld is books that grow between the parts of an export.
type partsWorld struct {
	t      *testing.T
	ledger *embedded.Ledger
	book   *accounts.Book
	asset  accounts.Asset
	booked int
	ahead  time.Duration // of the ledger's clock
}

func newPartsWorld(t *testing.T) *partsWorld {
	t.Helper()
	w := &partsWorld{t: t, asset: accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}}
	w.ledger = embedded.New(embedded.WithClock(func() time.Time { return time.Now().Add(w.ahead) }))
	t.Cleanup(func() { require.NoError(t, w.ledger.Close()) })
	var err error
	w.book, err = accounts.NewBook(w.ledger, accounts.Config{Assets: []accounts.Asset{w.asset}})
	require.NoError(t, err)
	_, err = w.book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: w.asset})
	require.NoError(t, err)
	return w
}

// fund books n rows.
func (w *partsWorld) fund(n int) {
	w.t.Helper()
	for range n {
		w.booked++
		_, err := w.book.Fund(w.t.Context(), accounts.Capital{Asset: w.asset, Key: fmt.Sprint(w.booked), Amount: ledger.NewAmount(uint64(w.booked))})
		require.NoError(w.t, err)
	}
}

// small is CSV with its lines written one by one, so that an export has many writes.
var small = Format{Name: "csv", Extension: ".csv", NewWriter: func(w io.Writer) Writer { return &eachLine{csvWriter{newTable(w, []string{"amount"})}} }}

type eachLine struct{ csvWriter }

func (w *eachLine) Write(e *Entry) error { return errors.Join(w.csvWriter.Write(e), w.flush()) }

// entriesOf returns the amounts in all parts, without the columns' names.
func entriesOf(files map[string][]byte) (amounts []string) {
	for number := 1; ; number++ {
		text, exists := files[partName(number, &small)]
		if !exists {
			return amounts
		}
		amounts = append(amounts, strings.Fields(strings.TrimPrefix(string(text), "amount\n"))...)
	}
}

func (w *partsWorld) requireEntries(files map[string][]byte, most int) {
	w.t.Helper()
	amounts := entriesOf(files)
	require.LessOrEqual(w.t, len(amounts), most)
	for i, amount := range amounts {
		require.Equal(w.t, fmt.Sprint(i+1), amount, "each entry once, in order")
	}
}

// Whatever operation fails, and whatever a crash of process or machine loses after it: each file under its own name is complete, no
// entry is in two parts, and the next export has all.
func TestPartsSurviveEachFailure(t *testing.T) {
	t.Parallel()
	var steps int
	for at := 0; at == 0 || at < steps; at++ {
		for _, machine := range []bool{false, true} {
			steps = max(steps, testFailure(t, at, machine))
		}
	}
	require.Greater(t, steps, 30)
}

// testFailure lets the operation with the number fail and all after it, and returns the number of operations without a failure.
func testFailure(t *testing.T, at int, machine bool) (steps int) {
	t.Helper()
	w := newPartsWorld(t)
	folder := sealedtest.NewFolder(nil)
	folder.Before = func(sealedtest.Operation) error {
		if steps++; steps > at && at > 0 {
			return sealedtest.ErrInjected
		}
		return nil
	}
	export := func(folder *sealedtest.Folder) error {
		_, err := writePart(t.Context(), w.ledger, w.book, Query{}, folder, small)
		return err
	}
	var err error
	for range 3 {
		w.fund(3)
		if err = export(folder); err != nil {
			require.ErrorIs(t, err, sealedtest.ErrInjected)
			break
		}
	}
	if at == 0 {
		require.NoError(t, err)
		require.Len(t, entriesOf(folder.VisibleFiles()), 9)
		return steps
	}
	files := folder.VisibleFiles()
	if machine {
		files = folder.CrashedFiles()
	}
	w.requireEntries(files, w.booked)
	after := sealedtest.NewFolder(files)
	w.fund(2)
	require.NoError(t, export(after))
	w.requireEntries(after.VisibleFiles(), w.booked)
	require.Len(t, entriesOf(after.CrashedFiles()), w.booked)
	for name := range after.CrashedFiles() {
		require.NotContains(t, name, temporarySuffix, "what a crash left is replaced")
	}
	return 0
}

// A state that is missing beside later parts, old, damaged or another export's is refused.
func TestPartsRefuseAWrongState(t *testing.T) {
	t.Parallel()
	w := newPartsWorld(t)
	folder := sealedtest.NewFolder(nil)
	states := []string{}
	for range 3 {
		w.fund(1)
		_, err := writePart(t.Context(), w.ledger, w.book, Query{}, folder, small)
		require.NoError(t, err)
		states = append(states, string(folder.VisibleFiles()[stateName]))
	}
	for name, change := range map[string]func(files map[string][]byte){
		"missing": func(files map[string][]byte) { delete(files, stateName) },
		"old":     func(files map[string][]byte) { files[stateName] = []byte(states[0]) },
		"cut":     func(files map[string][]byte) { files[stateName] = []byte(states[2][:len(states[2])-20]) },
		"changed": func(files map[string][]byte) { files[stateName] = []byte(strings.Replace(states[2], `"6"`, `"7"`, 1)) },
		"longer":  func(files map[string][]byte) { files[stateName] = []byte(states[2] + "{}\n") },
		"empty":   func(files map[string][]byte) { files[stateName] = nil },
	} {
		files := folder.VisibleFiles()
		change(files)
		_, err := writePart(t.Context(), w.ledger, w.book, Query{}, sealedtest.NewFolder(files), small)
		require.ErrorIs(t, err, ErrState, name)
	}
	for name, query := range map[string]Query{
		"sums": {Sum: SumDay}, "peers": {Peers: []string{"alice"}}, "range": {From: timeOf(5)},
	} {
		_, err := writePart(t.Context(), w.ledger, w.book, query, folder, small)
		require.ErrorIs(t, err, ErrState, name)
	}
	_, err := writePart(t.Context(), w.ledger, w.book, Query{}, folder, JSONLines())
	require.ErrorIs(t, err, ErrState, "format")
	_, err = writePart(t.Context(), w.ledger, w.book, Query{}, sealedtest.NewFolder(map[string][]byte{partName(1, &small): nil}), JSONLines())
	require.ErrorIs(t, err, ErrState, "a part in another format, before its state was written")
	_, err = writePart(t.Context(), newPartsWorld(t).ledger, w.book, Query{}, folder, small)
	require.NoError(t, err, "a ledger without a newer row has nothing to write")
	_, err = writePart(t.Context(), w.ledger, w.book, Query{}, sealedtest.NewFolder(map[string][]byte{stateName: []byte(states[1])}), small)
	require.NoError(t, err, "parts may be moved away")
}

// No part is written while rows before the range can come: they belong to the opening balances of the first part.
func TestFirstPartWaitsForTheRange(t *testing.T) {
	t.Parallel()
	w := newPartsWorld(t)
	folder := sealedtest.NewFolder(nil)
	q := Query{From: time.Now().Add(time.Hour)}
	for range 2 {
		w.fund(1)
		part, err := writePart(t.Context(), w.ledger, w.book, q, folder, small)
		require.NoError(t, err)
		require.Empty(t, part.Name)
	}
	w.ahead = 2 * time.Hour
	w.fund(1)
	opening := openings{}
	format := Format{Name: "openings", NewWriter: func(io.Writer) Writer { return opening }}
	_, err := writePart(t.Context(), w.ledger, w.book, q, folder, format)
	require.NoError(t, err)
	require.Equal(t, openings{"outside": "3", "liquidity": "-3"}, opening)
}

// openings keeps the opening balances other than 0.
type openings map[string]string

func (o openings) Begin(h *Header) error {
	for i, a := range h.Accounts {
		if !h.Opening[i].IsZero() {
			o[a.Name()] = h.Opening[i].String()
		}
	}
	return nil
}
func (o openings) Write(*Entry) error { return nil }
func (o openings) End(*Summary) error { return nil }

func FuzzState(f *testing.F) {
	s := &state{
		Format: stateFormat, Part: 2, Last: 77, Export: exportIdentity{FileFormat: "csv", Assets: []string{}},
		accounts: map[ledger.ID]accountEnd{ledger.NewID(1, 2): {sums{ledger.NewAmount(3), ledger.AmountMax}, "alice"}},
	}
	var text strings.Builder
	require.NoError(f, s.writeTo(&text))
	f.Add(text.String())
	f.Add("")
	f.Add(`{"peerledger_export":1,"part":1,"accounts":-1}`)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := readState(strings.NewReader(text))
		if err != nil {
			require.ErrorIs(t, err, ErrState)
			return
		}
		var again strings.Builder
		require.NoError(t, s.writeTo(&again))
		same, err := readState(strings.NewReader(again.String()))
		require.NoError(t, err)
		require.Equal(t, s, same)
	})
}
