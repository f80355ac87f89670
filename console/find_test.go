package console_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/console"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

// sendWith prepares a packet with a condition, and fulfills the packet.
func (f *fixture) sendWith(from, to string, in, out uint64, condition byte) transfers.Packet {
	f.t.Helper()
	held, err := f.client.Recorder.Prepare(f.t.Context(), transfers.Packet{
		From: f.peers[from], To: f.peers[to], In: in, Out: out, Expiry: time.Now().Add(10 * time.Minute), Condition: [32]byte{condition, 1},
	})
	require.NoError(f.t, err)
	_, err = f.client.Recorder.Fulfill(f.t.Context(), held.Packet)
	require.NoError(f.t, err)
	return held.Packet
}

// openOrder places an order that the rail leaves open, and returns its id.
func (f *fixture) openOrder(peer string) ledger.ID {
	f.t.Helper()
	_, err := f.client.Settlement.Settle(f.t.Context(), f.peers[peer])
	f.t.Logf("the order stays open: %v", err)
	order, isOpen := f.findOpenOrder(peer)
	require.True(f.t, isOpen)
	return order
}

// findOpenOrder returns the open order of a peer.
func (f *fixture) findOpenOrder(peer string) (order ledger.ID, isOpen bool) {
	f.t.Helper()
	orders, err := f.client.Settlement.Orders(f.t.Context(), f.peers[peer])
	require.NoError(f.t, err)
	if len(orders) == 0 {
		return ledger.ID{}, false
	}
	return orders[0].ID, true
}

// jsonRows reads a JSON download.
func jsonRows(t *testing.T, text string) []map[string]any {
	t.Helper()
	var rows []map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &rows), text)
	return rows
}

// requireSameRows checks that both downloads of an address have the same rows, and returns them. null is empty in CSV.
func (f *fixture) requireSameRows(path, query string) []map[string]string {
	f.t.Helper()
	rows := rowsOf(f.t, f.show(path+".csv"+query))
	inJSON := jsonRows(f.t, f.show(path+".json"+query))
	require.Len(f.t, inJSON, len(rows))
	for i, row := range inJSON {
		for name, value := range row {
			text := ""
			if value != nil {
				text = fmt.Sprint(value)
			}
			require.Equal(f.t, rows[i][name], text, "%s of row %d", name, i)
		}
		require.Len(f.t, row, len(rows[i]))
	}
	return rows
}

// A packet is found by its id, by the id of a transfer of it, and by its condition, with what became of it.
func TestFindPacket(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, line("alice", usd, 100_00), line("bob", usd, 0))
	packet := f.sendWith("alice", "bob", 30_05, 30_00, 7)
	rows := f.requireSameRows("/find", "?q="+packet.ID.String())
	require.Len(t, rows, 4, "two legs, held and posted")
	for _, row := range rows {
		require.Equal(t, []string{"packet", packet.ID.String(), "fulfilled", "peer alice", "USD/2", "30.05", "peer bob", "USD/2", "30.00"},
			[]string{row["what"], row["id"], row["state"], row["from"], row["from_asset"], row["in"], row["to"], row["to_asset"], row["out"]})
		require.Equal(t, "0701000000000000", row["condition"])
	}
	var steps []string
	for _, row := range rows {
		steps = append(steps, row["step"]+" "+row["amount"]+" "+row["debit"]+" > "+row["credit"])
	}
	require.Equal(t, []string{"hold 30.00 peer alice > peer bob", "hold 0.05 peer alice > revenue", "post 30.00 peer alice > peer bob", "post 0.05 peer alice > revenue"}, steps)

	condition := [32]byte{7, 1}
	for _, thing := range []string{packet.ID.String(), rows[3]["transfer"], "0701000000000000", hex.EncodeToString(condition[:])} {
		require.Equal(t, rows, f.requireSameRows("/find", "?q="+thing), thing)
		page := f.show("/find?q=+" + thing + "+") // as pasted, with white space
		text := textOf(t, page, "found")
		require.Contains(t, text, "packet "+packet.ID.String()+" fulfilled Fulfilled in time: the money was moved. From peer alice 30.05 USD/2 To peer bob 30.00 USD/2")
		require.Contains(t, page, `<a href="peer?asset=USD%2F2&amp;peer=bob">peer bob</a>`)
		for _, row := range rows {
			require.Contains(t, text, row["time"]+" "+row["step"]+" "+row["amount"]+" USD/2 "+row["debit"]+" "+row["credit"])
			require.Contains(t, text, row["transfer"])
		}
		require.Equal(t, 4, strings.Count(page, `<td class="name">`))
	}
	held := f.hold("alice", "bob", 5)
	require.Contains(t, textOf(t, f.show("/find?q="+held.String()), "found"), "held In flight: the money is held")
}

// Orders are found by their ids, and payments by their keys, also if a key looks like an id.
func TestFindOrdersAndKeys(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, line("alice", usd, 100_00), line("bob", usd, 0))
	f.send("alice", "bob", 30_00)
	order := f.openOrder("bob")
	page := f.show("/find?q=" + order.String())
	require.Contains(t, textOf(t, page, "found"), "order "+order.String()+" open Open: the amount is held until the rail has paid")
	require.Contains(t, textOf(t, page, "found"), "From peer bob 30.00 USD/2")
	_, err := f.client.Settlement.Resolve(t.Context(), f.peers["bob"], order, ledger.NewAmount(29_00))
	require.NoError(t, err)
	require.Contains(t, textOf(t, f.show("/find?q="+order.String()), "found"), "paid Paid: the rail has paid the order")
	require.Equal(t, "29.00", f.requireSameRows("/find", "?q="+order.String())[0]["out"])

	for _, key := range []string{"wire 4711", strings.Repeat("ab", 16), `"><script>alert(1)</script>`, "a\nb", "ключ"} {
		_, err := f.client.Settlement.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: f.peers["alice"], Key: key, Amount: ledger.NewAmount(5_00)})
		require.NoError(t, err)
		for _, isKey := range []string{"", "&key=1"} {
			rows := f.requireSameRows("/find", "?q="+url.QueryEscape(key)+isKey)
			require.Len(t, rows, 1, key)
			require.Equal(t, []string{"payment", "booked", "peer alice", "5.00"}, []string{rows[0]["what"], rows[0]["state"], rows[0]["to"], rows[0]["out"]})
			require.Equal(t, rows, f.requireSameRows("/find", "?q="+rows[0]["key_hash"]))
		}
		page := f.show("/find?q=" + url.QueryEscape(key))
		require.NotContains(t, page, "<script>alert")
		require.Empty(t, inline.FindString(page))
	}
	require.Contains(t, f.show("/find"), "Nothing was asked for.")
	require.NotContains(t, f.show("/find"), "find.csv")
	for _, text := range []string{"nothing", strings.Repeat("12", 16), strings.Repeat("12", 8)} {
		require.Contains(t, textOf(t, f.show("/find?q="+text), "found"), "The ledger has no packet, order, transfer or key of this text.")
		require.Equal(t, "[\n]\n", f.show("/find.json?q="+text))
	}
	for query, name := range map[string]string{"q=" + strings.Repeat("0", 32): "zeros", "q=x&after=soon": "after"} {
		for _, path := range []string{"/find?", "/find.csv?"} {
			status, text := f.open(path + query)
			require.Equal(t, http.StatusBadRequest, status, path+query)
			require.Contains(t, text, name)
		}
	}
}

// Without known names an id is still found, and a key is not.
func TestFindWithoutNames(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *console.Config) { c.Peers = nil }, line("alice", usd, 100_00), line("bob", usd, 0))
	packet := f.sendWith("alice", "bob", 1, 1, 9)
	page := f.show("/find?q=" + packet.ID.String())
	require.Contains(t, textOf(t, page, "found"), "From peer account "+f.peers["alice"].ID().String())
	require.NotContains(t, page, `href="peer?`)
	require.Contains(t, f.show("/find?q=wire"), "A key is found only for peers with a known name.")
}

// Many packets of a condition are on several pages, and all in a download.
func TestFindManyPackets(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, line("alice", usd, 100_00), line("bob", usd, 0))
	const packets = 130 // of two rows each
	want := map[string]bool{}
	for range packets {
		want[f.sendWith("alice", "bob", 1, 1, 3).ID.String()] = true
	}
	const condition = "0301000000000000"
	rows := f.requireSameRows("/find", "?q="+condition)
	require.Len(t, rows, 2*packets)
	found := map[string]bool{}
	for path, pages := "/find?q="+condition, 0; path != ""; pages++ {
		require.Less(t, pages, 4)
		page := f.show(path)
		things := strings.Split(page, `<article class="thing">`)[1:]
		require.LessOrEqual(t, len(things), 200)
		for _, thing := range things {
			_, rest, _ := strings.Cut(thing, "packet <code>")
			id, _, _ := strings.Cut(rest, "<")
			require.False(t, found[id], "twice")
			found[id] = true
		}
		_, next, more := strings.Cut(page, `<a rel="next" href="`)
		if path = ""; more {
			next, _, _ = strings.Cut(next, `"`)
			path = "/" + strings.ReplaceAll(next, "&amp;", "&")
		}
	}
	require.Equal(t, want, found)
}

// A search that fails says why, as a page and as a download.
func TestFindFails(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, line("alice", usd, 100_00), line("bob", usd, 0))
	packet := f.sendWith("alice", "bob", 1, 1, 9)
	f.console.Close()
	for _, path := range []string{"/find", "/find.csv", "/find.json"} {
		status, text := f.open(path + "?q=" + packet.ID.String())
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.Contains(t, text, console.ErrClosed.Error())
	}
}
