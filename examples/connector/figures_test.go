package main

import (
	"math/big"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger/ledgertest"
)

func newFigures(from, to, packetsFrom, packetsTo, failed int64) figures {
	return figures{FromPeer: big.NewInt(from), ToPeer: big.NewInt(to), PacketsFromPeer: big.NewInt(packetsFrom), PacketsToPeer: big.NewInt(packetsTo), FailedToPeer: big.NewInt(failed)}
}

func TestCompareFigures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		title        string
		ours, theirs figures
		debt         int64 // ours less theirs beyond the packets
		want         []figureDifference
	}{
		{"equal", newFigures(70, 50, 7, 5, 0), newFigures(50, 70, 5, 7, 0), 0, nil},
		{"repeats", newFigures(40, 0, 1, 0, 0), newFigures(0, 120, 0, 1, 0), 0, []figureDifference{{big.NewInt(-80), reasonRepeats}}},
		{"lost answer", newFigures(70, 0, 7, 0, 0), newFigures(0, 60, 0, 6, 10), 0, []figureDifference{{big.NewInt(10), reasonLostToPeer}}},
		{"late answer", newFigures(70, 0, 7, 0, 0), newFigures(0, 60, 0, 7, 10), 0, []figureDifference{{big.NewInt(10), reasonLostToPeer}}},
		{"more than was lost", newFigures(70, 0, 7, 0, 0), newFigures(0, 60, 0, 6, 9), 0, []figureDifference{{big.NewInt(10), ""}}},
		{"a packet not in our books", newFigures(60, 0, 6, 0, 0), newFigures(0, 70, 0, 7, 0), 0, []figureDifference{{big.NewInt(-10), ""}}},
		{"lost here", newFigures(0, 40, 0, 4, 10), newFigures(50, 0, 5, 0, 0), 0, []figureDifference{{big.NewInt(10), reasonLostHere}}},
		{"not lost here", newFigures(0, 40, 0, 4, 0), newFigures(50, 0, 5, 0, 0), 0, []figureDifference{{big.NewInt(10), ""}}},
		{"a packet not in their books", newFigures(0, 50, 0, 5, 10), newFigures(40, 0, 4, 0, 0), 0, []figureDifference{{big.NewInt(-10), ""}}},
		{"settled", newFigures(0, 50, 0, 5, 0), newFigures(50, 0, 5, 0, 0), 30, []figureDifference{{big.NewInt(-30), ""}}},
	} {
		t.Run(c.title, func(t *testing.T) {
			t.Parallel()
			c.ours.Debt = new(big.Int).Sub(c.ours.ToPeer, c.ours.FromPeer)
			c.theirs.Debt = new(big.Int).Sub(c.theirs.FromPeer, c.theirs.ToPeer)
			c.theirs.Debt.Sub(c.theirs.Debt, big.NewInt(c.debt))
			require.Equal(t, c.want, compareFigures(c.ours, c.theirs))
		})
	}
}

// The differences of any two figures add up to the difference of the balances.
func TestCompareFiguresExplainsTheBalance(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(ledgertest.Seed(t), 1))
	draw := func() figures {
		f := newFigures(random.Int64N(100), random.Int64N(100), random.Int64N(5), random.Int64N(5), random.Int64N(50))
		f.Debt = big.NewInt(random.Int64N(200) - 100)
		return f
	}
	for range 10_000 {
		ours, theirs := draw(), draw()
		sum := new(big.Int)
		for _, d := range compareFigures(ours, theirs) {
			require.NotZero(t, d.Amount.Sign())
			sum.Add(sum, d.Amount)
		}
		require.Equal(t, new(big.Int).Sub(theirs.Debt, ours.Debt).String(), sum.String(), "%+v %+v", ours, theirs)
	}
}

// Figures that cannot be read, or are not exact, are no figures.
func TestFiguresThatCannotBeRead(t *testing.T) {
	t.Parallel()
	const balance = `{"accounts":{"a":{"balance":"-5"}}}`
	for stats, fits := range map[string]bool{
		`[{"name":"ilp_connector_outgoing_ilp_packet_value","values":[{"value":5,"labels":{"account":"a","result":"fulfilled"}}]}]`:                true,
		`[{"name":"ilp_connector_outgoing_ilp_packet_value","values":[{"value":9007199254740992,"labels":{"account":"a","result":"fulfilled"}}]}]`: false,
		`[{"name":"ilp_connector_outgoing_ilp_packet_value","values":[{"value":0.5,"labels":{"account":"a","result":"fulfilled"}}]}]`:              false,
		`[{"name":"ilp_connector_outgoing_ilp_packet_value","values":[{"value":-1,"labels":{"account":"a","result":"fulfilled"}}]}]`:               false,
		`nonsense`: false,
	} {
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			text := stats
			if r.URL.Path == "/balance" {
				text = balance
			}
			_, _ = w.Write([]byte(text))
		}))
		f, err := readIlpConnector(t.Context(), web.URL, "a")
		if fits {
			require.NoError(t, err)
			require.Equal(t, []int64{-5, 5, 0}, []int64{f.Debt.Int64(), f.ToPeer.Int64(), f.FromPeer.Int64()})
		} else {
			require.ErrorIs(t, err, errFigures)
		}
		_, err = readIlpConnector(t.Context(), web.URL, "b")
		require.ErrorIs(t, err, errFigures)
		_, err = readIlpConnector(t.Context(), web.URL+"/none", "a")
		require.ErrorIs(t, err, errFigures)
		http.DefaultClient.CloseIdleConnections()
		web.Close()
	}
	_, err := readIlpConnector(t.Context(), "://", "a")
	require.ErrorIs(t, err, errFigures)
}
