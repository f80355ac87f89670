package accounts_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/big"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

var statementScenarios = []scenario{
	{"statement of every kind of entry", testStatement},
	{"statements add up however they are cut", testStatementsAddUp},
	{"statements while others write", testStatementWhileWriting},
	{"statement written and read", testStatementWritten},
	{"statements while packets and lines change", testStatementsOfAMovingAccount},
	{"statement of what was paid and given up", testStatementOfMoney},
}

// clerk writes transfers like recorders, engines and operators, and records the expected entries
// of a statement of its first peer.
type clerk struct {
	t      *testing.T
	ledger ledger.Ledger
	book   *accounts.Book
	random *rand.Rand
	peers  []accounts.PeerAccount
	own    accounts.AssetIDs
	want   []wantEntry
	holds  int
}

type wantEntry struct {
	kind   accounts.EntryKind
	amount int64
	other  string
}

func newClerk(t *testing.T, l ledger.Ledger, seed uint64, noHistory bool) *clerk {
	t.Helper()
	book, err := accounts.NewBook(l, accounts.Config{Namespace: t.Name(), Assets: []accounts.Asset{usd, xrp}, NoHistory: noHistory})
	require.NoError(t, err)
	c := &clerk{t: t, ledger: l, book: book, random: rand.New(rand.NewPCG(seed, 7))}
	c.peers = provision(t, book, 1_000_000, "alice", "bob")
	c.own, _ = book.AssetIDs(usd.Ledger)
	c.want = []wantEntry{{accounts.EntryCreditLine, 0, "line"}}
	return c
}

// leg makes a transfer: from the first peer for an amount below 0, otherwise to the first peer.
func (c *clerk) leg(code uint16, other ledger.ID, amount int64, of uint64) ledger.Transfer {
	row := ledger.Transfer{
		ID: randomID(), DebitAccountID: other, CreditAccountID: c.peers[0].ID(), Amount: units(uint64(max(amount, -amount))),
		Ledger: usd.Ledger, Code: code, UserData128: uint128.New(of<<8, 1), UserData64: of << 32,
	}
	if amount < 0 {
		row.DebitAccountID, row.CreditAccountID = row.CreditAccountID, row.DebitAccountID
	}
	return row
}

func (c *clerk) create(rows ...ledger.Transfer) {
	c.t.Helper()
	results, err := c.ledger.CreateTransfers(c.t.Context(), rows)
	require.NoError(c.t, err)
	for _, r := range results {
		require.Equal(c.t, ledger.TransferCreated, r.Status)
	}
}

func (c *clerk) expect(kind accounts.EntryKind, amount int64, other string) {
	c.want = append(c.want, wantEntry{kind, amount, other})
}

// step books one event.
func (c *clerk) step() {
	c.t.Helper()
	amount := c.random.Int64N(900) + 1
	of := uint64(len(c.want) + c.holds*1000 + 1)
	ids := c.book.PeerIDs(c.peers[0])
	switch c.random.IntN(14) {
	case 0: // a packet from the peer, in two phases, with a fee
		c.packet(c.leg(chart.CodePacket, c.peers[1].ID(), -amount, of), c.leg(chart.CodeFee, c.own.Revenue, -3, of))
		c.expect(accounts.EntryPacket, -amount, "peer bob")
		c.expect(accounts.EntryFee, -3, "revenue")
	case 1: // a packet to the peer, booked at once
		c.create(c.leg(chart.CodePacket, c.peers[1].ID(), amount, of))
		c.expect(accounts.EntryPacket, amount, "peer bob")
	case 2: // a conversion with dust
		c.create(c.leg(chart.CodeConversion, c.own.Liquidity, -amount, of), c.leg(chart.CodeDustLeg, c.own.Dust, -1, of))
		c.expect(accounts.EntryConversion, -amount, "liquidity")
		c.expect(accounts.EntryDust, -1, "dust")
	case 3: // a hold that is voided
		hold := c.leg(chart.CodePacket, c.peers[1].ID(), -amount, of)
		hold.Flags = ledger.TransferPending
		c.create(hold, ledger.Transfer{ID: randomID(), PendingID: hold.ID, Flags: ledger.TransferVoidPending})
		c.holds++
	case 4: // an order, paid in part
		order := c.leg(chart.CodeOrder, ids.Settlement, -amount, of)
		order.Flags = ledger.TransferPending
		paid := amount/2 + 1
		c.create(order, ledger.Transfer{ID: randomID(), PendingID: order.ID, Amount: units(uint64(paid)), Flags: ledger.TransferPostPending})
		c.expect(accounts.EntrySettlement, -paid, "settlement")
		c.holds++
	case 5:
		c.create(c.leg(chart.CodeIncoming, ids.Settlement, amount, of))
		c.expect(accounts.EntrySettlement, amount, "settlement")
	case 6: // a late fulfill
		c.create(c.leg(chart.CodeCorrection, c.own.Suspense, amount, of))
		c.expect(accounts.EntryCorrection, amount, "suspense")
	case 7:
		_, err := c.book.Adjust(c.t.Context(), accounts.Adjustment{Account: c.peers[0], Key: fmt.Sprint(of), Debit: units(uint64(amount)), ReasonCode: 5})
		require.NoError(c.t, err)
		c.expect(accounts.EntryCorrection, -amount, "suspense")
	case 8:
		_, err := c.book.ExtendCredit(c.t.Context(), c.peers[0], units(uint64(amount)))
		require.NoError(c.t, err)
		c.expect(accounts.EntryCreditLine, 0, "line")
	case 9:
		_, err := c.book.RevokeCredit(c.t.Context(), c.peers[0], units(uint64(amount)), accounts.WithPartialRevoke())
		require.NoError(c.t, err)
		c.expect(accounts.EntryCreditLine, 0, "line")
	default:
		c.moneyStep(amount, of)
	}
}

// packet holds legs and posts them.
func (c *clerk) packet(legs ...ledger.Transfer) {
	c.t.Helper()
	var posts []ledger.Transfer
	for i := range legs {
		legs[i].Flags = ledger.TransferPending
		posts = append(posts, ledger.Transfer{ID: randomID(), PendingID: legs[i].ID, Amount: ledger.AmountMax, Flags: ledger.TransferPostPending})
		c.holds++
	}
	c.create(legs...)
	c.create(posts...)
}

// collectEntries reads all entries.
func collectEntries(t *testing.T, entries iter.Seq2[accounts.Entry, error]) []accounts.Entry {
	t.Helper()
	var all []accounts.Entry
	for e, err := range entries {
		require.NoError(t, err)
		all = append(all, e)
	}
	return all
}

func (c *clerk) statement(from, to time.Time, opts ...accounts.StatementOption) *accounts.Statement {
	c.t.Helper()
	s, err := c.book.Statement(c.t.Context(), c.peers[0], from, to, append(opts, accounts.WithKnownAccounts(c.peers...))...)
	require.NoError(c.t, err)
	return s
}

func testStatement(t *testing.T, l ledger.Ledger) {
	seed := ledgertest.Seed(t)
	for _, noHistory := range []bool{false, true} {
		t.Run(fmt.Sprintf("without history %v", noHistory), func(t *testing.T) {
			c := newClerk(t, l, seed, noHistory)
			for range 60 {
				c.step()
			}
			want := balance(t, c.book, c.peers[0])
			var before []accounts.Entry
			for _, page := range []int{1, 2, 3, 7, ledger.QueryMax} {
				s := c.statement(time.Time{}, time.Time{}, accounts.WithPageSize(page))
				require.Zero(t, s.Opening.Position.Sign())
				require.Equal(t, want.Position().String(), s.Closing.Position.String())
				require.Equal(t, want.CreditLine, s.Closing.CreditLine)
				require.Equal(t, want.Arrears, s.Closing.Arrears)
				entries := collectEntries(t, s.Entries(t.Context()))
				require.Len(t, entries, len(c.want))
				sum := new(big.Int)
				for i, e := range entries {
					require.Equal(t, c.want[i], wantEntry{e.Kind, e.Amount.Int64(), e.Counterparty.String()}, i)
					require.Equal(t, sum.Add(sum, e.Amount).String(), e.Position.String())
				}
				if before != nil {
					require.Equal(t, before, entries, "pages make no difference")
				}
				before = entries
				withHolds := collectEntries(t, c.statement(time.Time{}, time.Time{}, accounts.WithPageSize(page), accounts.WithHolds()).Entries(t.Context()))
				require.Len(t, withHolds, len(c.want)+c.holds)
			}
			last := before[len(before)-1]
			require.Equal(t, want.CreditLine, last.CreditLine)
		})
	}
	ledgertest.RequireNothingHeld(t, l)
}

func testStatementsAddUp(t *testing.T, l ledger.Ledger) {
	seed := ledgertest.Seed(t)
	for _, noHistory := range []bool{false, true} {
		t.Run(fmt.Sprintf("without history %v", noHistory), func(t *testing.T) {
			c := newClerk(t, l, seed, noHistory)
			for range 40 {
				c.step()
			}
			complete := collectEntries(t, c.statement(time.Time{}, time.Time{}).Entries(t.Context()))
			for range 10 { // cut at the times of some entries, or a moment beside them
				var cuts []time.Time
				for range 3 {
					at := complete[c.random.IntN(len(complete))].Time
					cuts = append(cuts, at.Add(time.Duration(c.random.IntN(3)-1)))
				}
				c.requireParts(complete, cuts)
			}
		})
	}
}

// requireParts requires that the statements between the cuts add up to the complete one.
func (c *clerk) requireParts(complete []accounts.Entry, cuts []time.Time) {
	c.t.Helper()
	bounds := []time.Time{{}}
	for _, cut := range cuts {
		if last := bounds[len(bounds)-1]; cut.After(last) {
			bounds = append(bounds, cut)
		}
	}
	bounds = append(bounds, time.Time{})
	var parts []accounts.Entry
	opening := accounts.StatementBalance{Position: new(big.Int)}
	for i := range bounds[:len(bounds)-1] {
		s := c.statement(bounds[i], bounds[i+1], accounts.WithPageSize(1+c.random.IntN(9)))
		require.Equal(c.t, opening.Position.String(), s.Opening.Position.String(), "opens as the one before it closes")
		require.Equal(c.t, opening.CreditLine, s.Opening.CreditLine)
		require.Equal(c.t, opening.Arrears, s.Opening.Arrears)
		parts = append(parts, collectEntries(c.t, s.Entries(c.t.Context()))...)
		opening = s.Closing
	}
	require.Equal(c.t, complete, parts)
}

func testStatementWhileWriting(t *testing.T, l ledger.Ledger) {
	c := newClerk(t, l, ledgertest.Seed(t), false)
	var left atomic.Int64
	var writers sync.WaitGroup
	for range 3 {
		left.Add(1)
		writers.Go(func() {
			defer left.Add(-1)
			for range 100 {
				rows := []ledger.Transfer{c.leg(chart.CodePacket, c.peers[1].ID(), 5, 1), c.leg(chart.CodePacket, c.peers[1].ID(), -2, 2)}
				if _, err := l.CreateTransfers(t.Context(), rows); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	var last *accounts.Statement
	for n := 0; n < 3 || left.Load() > 0; n++ {
		s := c.statement(time.Time{}, time.Time{}, accounts.WithPageSize(50))
		for range 2 { // every iteration yields the same
			entries := collectEntries(t, s.Entries(t.Context()))
			require.Equal(t, s.Closing.Position.String(), entries[len(entries)-1].Position.String())
		}
		last = s
	}
	writers.Wait()
	require.LessOrEqual(t, last.Closing.Position.Int64(), balance(t, c.book, c.peers[0]).Position().Int64())
	ledgertest.RequireNothingHeld(t, l)
}

func TestStatementOfOurOwn(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	c := newClerk(t, l, ledgertest.Seed(t), false)
	_, err := c.book.Fund(t.Context(), accounts.Capital{Asset: usd, Key: "k", Amount: units(100)})
	require.NoError(t, err)
	c.create(c.leg(chart.CodeConversion, c.own.Liquidity, -40, 9))
	own, err := c.book.OwnAccount(usd)
	require.NoError(t, err)
	s, err := c.book.Statement(t.Context(), own, time.Time{}, time.Time{})
	require.NoError(t, err)
	require.Equal(t, int64(140), s.Closing.Position.Int64())
	entries := collectEntries(t, s.Entries(t.Context()))
	require.Len(t, entries, 2)
	require.Equal(t, accounts.EntryFunding, entries[0].Kind)
	require.Equal(t, "outside", entries[0].Counterparty.String())
	require.Equal(t, "peer account "+c.peers[0].ID().String(), entries[1].Counterparty.String())
}

func TestStatementOfNothing(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	book := newBook(t, l)
	alice := provision(t, book, 0, "alice")[0]
	now := time.Now()
	for _, c := range []struct{ from, to time.Time }{
		{},
		{from: now.Add(time.Hour)},
		{to: now.Add(-time.Hour)},
		{from: now.AddDate(-500, 0, 0), to: now.AddDate(-400, 0, 0)},
		{from: now.AddDate(500, 0, 0)},
		{to: now.AddDate(500, 0, 0)},
		{from: time.Unix(0, -5), to: time.Unix(0, 1)},
	} {
		s, err := book.Statement(t.Context(), alice, c.from, c.to)
		require.NoError(t, err)
		require.Empty(t, collectEntries(t, s.Entries(t.Context())))
		require.Zero(t, s.Closing.Position.Sign())
	}
	_, err := book.Statement(t.Context(), alice, now, now)
	requireField(t, err, "To")
	_, err = book.Statement(t.Context(), mustAccount(t, book, "stranger"), time.Time{}, time.Time{})
	require.ErrorIs(t, err, accounts.ErrNotProvisioned)
	_, err = book.Statement(t.Context(), accounts.PeerAccount{}, time.Time{}, time.Time{})
	require.ErrorIs(t, err, accounts.ErrUnknownAsset)
}

// unreadable fails from a number of pages on, or leaves a row out.
type unreadable struct {
	ledger.Ledger
	pages int
	skip  bool
}

func (u *unreadable) GetAccountTransfers(ctx context.Context, f ledger.AccountFilter) ([]ledger.Transfer, error) {
	rows, err := u.Ledger.GetAccountTransfers(ctx, f)
	if f.Flags&ledger.AccountFilterReversed != 0 {
		return rows, err
	}
	if u.pages--; u.pages < 0 && !u.skip {
		return nil, errors.New("away")
	}
	if u.skip && len(rows) > 1 {
		rows = append(rows[:0:0], rows[1:]...)
	}
	return rows, err
}

func TestStatementIsNeverSilentlyCut(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	c := newClerk(t, l, ledgertest.Seed(t), false)
	for range 30 {
		c.step()
	}
	broken := &unreadable{Ledger: l, pages: 3}
	book, err := accounts.NewBook(broken, accounts.Config{Namespace: t.Name(), Assets: []accounts.Asset{usd, xrp}})
	require.NoError(t, err)
	s, err := book.Statement(t.Context(), c.peers[0], time.Time{}, time.Time{}, accounts.WithPageSize(4))
	require.NoError(t, err)
	var errs []error
	for _, err := range s.Entries(t.Context()) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	require.Len(t, errs, 1)
	require.ErrorContains(t, errs[0], "statement of alice on ledger 1: away")
	var text bytes.Buffer
	broken.pages = 2
	require.Error(t, accounts.WriteCSV(t.Context(), &text, s))
	require.NotContains(t, text.String(), "closing")
	broken.pages = 2
	require.Error(t, accounts.WriteJSON(t.Context(), &text, s))

	broken.skip = true // a row is missing
	s, err = book.Statement(t.Context(), c.peers[0], time.Time{}, time.Time{})
	require.NoError(t, err)
	var last error
	for _, last = range s.Entries(t.Context()) {
	}
	require.ErrorIs(t, last, accounts.ErrStatement)
}

func testStatementWritten(t *testing.T, l ledger.Ledger) {
	c := newClerk(t, l, ledgertest.Seed(t), false)
	for range 40 {
		c.step()
	}
	s := c.statement(time.Time{}, time.Time{}, accounts.WithHolds())
	want := collectEntries(t, s.Entries(t.Context()))
	var text bytes.Buffer
	require.NoError(t, accounts.WriteCSV(t.Context(), &text, s))
	got := collectEntries(t, accounts.ReadCSV(bytes.NewReader(text.Bytes()), usd))
	require.Len(t, got, len(want))
	for i := range got {
		require.Equal(t, want[i].Counterparty.String(), got[i].Counterparty.String())
		got[i].Counterparty = want[i].Counterparty
		require.Equal(t, inText(want[i]), inText(got[i]))
	}
	for line := range strings.Lines(text.String()) {
		for field := range strings.SplitSeq(line, ",") {
			require.NotContains(t, "=+@", field[:min(1, len(field))]+"x"[:1-min(1, len(field))], "a formula to a spreadsheet")
		}
	}

	var object struct {
		Peer, Asset      string
		Opening, Closing struct{ Position, Arrears string }
		Entries          []struct{ Amount, Position string }
	}
	text.Reset()
	require.NoError(t, accounts.WriteJSON(t.Context(), &text, s))
	require.NoError(t, json.Unmarshal(text.Bytes(), &object))
	require.Equal(t, "alice", object.Peer)
	require.Len(t, object.Entries, len(want))
	require.Equal(t, object.Entries[len(want)-1].Position, object.Closing.Position)
}

// inText compares entries regardless of the representation of big.Ints.
func inText(e accounts.Entry) string { return fmt.Sprintf("%+v", e) }

func TestReadCSVNamesTheFault(t *testing.T) {
	t.Parallel()
	c := newClerk(t, newLedger(t), 1, false)
	c.create(c.leg(chart.CodePacket, c.peers[1].ID(), 5, 77))
	var text bytes.Buffer
	require.NoError(t, accounts.WriteCSV(t.Context(), &text, c.statement(time.Time{}, time.Time{})))
	good := text.String()
	row := strings.Split(good, "\n")[3]
	for _, c := range []struct {
		old, new string
		line     int
		column   string
	}{
		{"time,kind", "when,kind", 1, ""},
		{",opening,", ",packet,", 2, "kind"},
		{row + "\n", "", 4, "position"},
		{row, row + ",more", 4, ""},
		{"0.000000005,,0.000000005", "0.000000005,,0.000000006", 4, "position"},
		{"0.000000005,,", "0.0000000055,,", 4, "amount"},
		{"0.000000005,,", "1e5,,", 4, "amount"},
		{",USD/9,0.000000005", ",USD/2,0.000000005", 4, "asset"},
		{"0000004d00000000", "4d", 4, "condition"},
		{"closing,USD/9,,,0.000000005", "closing,USD/9,,,0.000000004", 5, "position"},
		{row, strings.Replace(row, "2", "x", 1), 4, "time"},
		{row, strings.Replace(row, ",out,", ",up,", 1), 4, "direction"},
		{row, strings.TrimSuffix(row, ",") + "invoice 17,", 4, "key"},
		{row, strings.Replace(row, ",out,", ",out,xyz", 1), 4, "key_hash"},
	} {
		require.Contains(t, good, c.old)
		bad := strings.Replace(good, c.old, c.new, 1)
		var last error
		for _, last = range accounts.ReadCSV(strings.NewReader(bad), usd) {
		}
		require.ErrorIs(t, last, accounts.ErrInvalid, c)
		var fault *accounts.CSVError
		require.ErrorAs(t, last, &fault)
		require.Equal(t, c.line, fault.Line, fault)
		require.Equal(t, c.column, fault.Column, fault)
	}
	cut := good[:strings.Index(good, row)+len(row)+1]
	var last error
	for _, last = range accounts.ReadCSV(strings.NewReader(cut), usd) {
	}
	require.ErrorContains(t, last, "line 5 is missing")
	for _, last = range accounts.ReadCSV(strings.NewReader(good+row+"\n"), usd) {
	}
	require.ErrorContains(t, last, "line 6 follows the closing balance")
}

func FuzzReadCSV(f *testing.F) {
	f.Add([]byte("time,kind,asset\n"))
	header := "time,kind,asset,amount,held,position,credit_line,counterparty,packet,condition,order,late,reason,transfer,code\n"
	valid := header + ",opening,USD/9,,,0,0,,,,,,,,\n" +
		"2026-01-01T00:00:00Z,credit line,USD/9,0,,0,7,line,,,,,,9,40\n" +
		"2026-01-01T00:00:01Z,hold,USD/9,0,5,0,7,peer bob,1,c0ffee0000000000,,,,2,1\n" +
		"2026-01-01T00:00:02Z,packet,USD/9,5,,5,7,peer bob,1,c0ffee0000000000,,,,3,1\n" +
		"2026-01-01T00:00:03Z,correction,USD/9,-2.5,,2.5,7,suspense,1,c0ffee0000000000,,late,,4,5\n,closing,USD/9,,,2.5,7,,,,,,,,\n"
	require.NoError(f, lastError(strings.NewReader(valid)))
	f.Add([]byte(valid))
	f.Add([]byte("\ufeff" + strings.ReplaceAll(valid, "\n", ",,,\n")))
	f.Fuzz(func(t *testing.T, text []byte) {
		sum := new(big.Int)
		var opening *big.Int
		var all []accounts.Entry
		for e, err := range accounts.ReadCSV(bytes.NewReader(text), usd) {
			if err != nil {
				return
			}
			if opening == nil {
				opening = new(big.Int).Sub(e.Position, e.Amount)
			}
			sum.Add(sum, e.Amount)
			require.Zero(t, new(big.Int).Add(opening, sum).Cmp(e.Position))
			all = append(all, e)
		}
		got, err := accounts.Compare(entriesOf(all...), entriesOf(mirrorEntries(all)...))
		require.NoError(t, err)
		require.Zero(t, sum.Cmp(got.Ours), "Compare takes in all that the positions moved by")
		require.Empty(t, got.Differences)
	})
}

func conditionTag(n uint64) (c [8]byte) {
	binary.BigEndian.PutUint64(c[:], n)
	return c
}
