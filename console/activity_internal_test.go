package console

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

// Payments are found behind more packets than a page reads: in the last day, or in the last hour. With more packets
// than that in the last hour, they are unknown.
func TestPaymentsOfABusyPeer(t *testing.T) {
	t.Parallel()
	usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	now := time.Now()
	at := now.Add(-6 * 24 * time.Hour)
	client := newManualClient(t, embedded.New(embedded.WithClock(func() time.Time { return at })), usd)
	peers, err := client.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: accounts.Unlimited}, accounts.PeerConfig{ID: "bob", Asset: usd})
	require.NoError(t, err)
	pay := func() {
		_, err := client.Book.Adjust(t.Context(), accounts.Adjustment{Account: peers[0], Key: fmt.Sprint(at), Credit: ledger.NewAmount(1), ReasonCode: 5})
		require.NoError(t, err)
	}
	sendMany := func() {
		var futures []transfers.Future
		for range maxActivityEntries {
			f, err := client.Recorder.Submit(t.Context(), transfers.ForwardOp(transfers.Packet{From: peers[0], To: peers[1], In: 1, Out: 1}))
			require.NoError(t, err)
			futures = append(futures, f)
		}
		for _, f := range futures {
			err := f.Wait(t.Context()).Err
			require.NoError(t, err)
		}
	}
	c, err := New(Config{Book: client.Book, Settlement: client.Settlement, Peers: func(accounts.Asset) []string { return []string{"alice", "bob"} }})
	require.NoError(t, err)
	defer c.Close()
	read := func(length time.Duration) activity {
		found, err := c.readActivity(t.Context(), peers[0], usd, now.Add(-length), now)
		require.NoError(t, err)
		for _, e := range found.entries {
			require.NotEqual(t, accounts.EntryPacket, e.Kind)
		}
		return found
	}
	const week, day = 7 * 24 * time.Hour, 24 * time.Hour
	pay()
	require.Len(t, read(week).entries, 2, "with the credit line")
	sendMany()
	at = now.Add(-20 * time.Hour)
	pay()
	found := read(week)
	require.Len(t, found.entries, 1, "those of six days ago are behind the packets")
	require.Equal(t, now.Add(-day), found.from)
	sendMany()
	at = now.Add(-30 * time.Minute)
	pay()
	found = read(week)
	require.Len(t, found.entries, 1)
	require.Equal(t, now.Add(-time.Hour), found.from)
	require.Len(t, read(time.Hour).entries, 1)
	sendMany()
	_, err = c.readActivity(t.Context(), peers[0], usd, now.Add(-week), now)
	require.ErrorIs(t, err, errTooManyPackets)
	_, err = c.readActivity(t.Context(), peers[0], usd, now.Add(-time.Hour), now)
	require.ErrorIs(t, err, errTooManyPackets)

	session, _ := c.secrets.beginSession(c.secrets.addLogin())
	r := httptest.NewRequest("GET", "/peer?peer=alice&asset=USD/2&range=7d", nil)
	r.Host = "localhost"
	r.AddCookie(c.newCookie(r, session))
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	require.Contains(t, w.Body.String(), "Unknown: "+errTooManyPackets.Error())
}

// The bounds of a chart are its data: nothing is drawn outside of the plot, and a far line does not flatten the position.
func TestChartBounds(t *testing.T) {
	t.Parallel()
	usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	p := &peer{Asset: usd, assetName: "USD/2", name: "alice"}
	point := func(position int64, creditLine ledger.Amount) accounts.HistoryPoint {
		h := accounts.HistoryPoint{Time: time.Unix(1_800_000_000, 0), Position: ledger.NewAmount(0).Big(), CreditLine: creditLine}
		h.Position.SetInt64(position)
		return h
	}
	for _, test := range []struct {
		name           string
		points         []accounts.HistoryPoint
		position, line string
		zero           int
		note           string
	}{
		{"all 0", []accounts.HistoryPoint{point(0, ledger.Amount{}), point(0, ledger.Amount{})}, "0,500 10,500", "", 500, "The peer had no credit line."},
		{"above", []accounts.HistoryPoint{point(0, ledger.Amount{}), point(50, ledger.Amount{}), point(100, ledger.Amount{})}, "0,1000 10,500 20,0", "", 1000, "The peer had no credit line."},
		{"line below", []accounts.HistoryPoint{point(-50, ledger.NewAmount(100)), point(100, ledger.NewAmount(60))}, "0,750 10,0", "0,1000 10,800", 500, ""},
		{"far line", []accounts.HistoryPoint{point(-1, ledger.NewAmount(100)), point(0, ledger.NewAmount(100))}, "0,1000 10,0", "", 0, "The credit line is far below the chart: the peer may owe us up to 1.00."},
		{"line alone", []accounts.HistoryPoint{point(0, ledger.NewAmount(100)), point(0, ledger.NewAmount(100))}, "0,0 10,0", "0,1000 10,1000", 0, ""},
		{"unlimited", []accounts.HistoryPoint{point(0, ledger.NewAmount(1)), point(-5, accounts.Unlimited)}, "0,0 10,1000", "", 0, "The credit line is unlimited, at least for a part of the time."},
		{"huge", []accounts.HistoryPoint{point(0, ledger.AmountMax), point(0, ledger.AmountMax)}, "0,0 10,0", "0,1000 10,1000", 0, ""},
	} {
		d := drawChart(p, test.points)
		require.Equal(t, []any{test.position, test.line, test.zero}, []any{d.Position, d.Line, d.ZeroY}, test.name)
		if test.note == "" {
			require.Empty(t, d.Notes, test.name)
		} else {
			require.Equal(t, []string{test.note}, d.Notes, test.name)
		}
		for i, label := range d.Labels {
			require.True(t, label.Y >= 10 && label.Y <= plotTop+plotPixels, "%s: %v", test.name, label)
			for _, other := range d.Labels[:i] {
				require.GreaterOrEqual(t, max(label.Y-other.Y, other.Y-label.Y), labelSpace, test.name)
			}
		}
	}
}
