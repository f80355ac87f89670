package trace_test

import (
	"cmp"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/trace"
	"github.com/peerledger/peerledger/ledger"
)

// readPeer reads a trace of one peer without packets.
func readPeer(peer, balance string) (*trace.Trace, error) {
	return readLines([]string{
		fmt.Sprintf(`{"ms":0,"ev":"config","peers":{"alice":%s}}`+"\n", peer),
		fmt.Sprintf(`{"ms":1,"ev":"balance","peer":"alice","balance":%q}`+"\n", balance),
	})
}

func TestLimits(t *testing.T) {
	t.Parallel()
	payable := func(n uint64) trace.Position { return trace.Position{Payable: ledger.NewAmount(n)} }
	receivable := func(n uint64) trace.Position { return trace.Position{Receivable: ledger.NewAmount(n)} }
	for limits, want := range map[string]trace.Peer{
		`{}`:                        {Unlimited: true},
		`{"maximum":"Infinity"}`:    {Unlimited: true},
		`{"maximum":"0"}`:           {},
		`{"maximum":"-0"}`:          {},
		`{"maximum":"9"}`:           {CreditLine: ledger.NewAmount(9)},
		`{"minimum":"-Infinity"}`:   {Unlimited: true},
		`{"minimum":"-5"}`:          {Unlimited: true},
		`{"maximum":null}`:          {Unlimited: true},
		`{"settleTo":"-5"}`:         {Unlimited: true},
		`{"settleThreshold":"0"}`:   {Unlimited: true, Settle: &trace.Settle{}},
		`{"settleThreshold":"-20"}`: {Unlimited: true, Settle: &trace.Settle{Threshold: payable(20)}},
		`{"settleThreshold":"-Infinity","settleTo":"1"}`: {Unlimited: true},
		`{"settleThreshold":"-20","settleTo":"-20"}`:     {Unlimited: true, Settle: &trace.Settle{Threshold: payable(20), To: payable(20)}},
		`{"settleThreshold":"-20","settleTo":"30"}`:      {Unlimited: true, Settle: &trace.Settle{Threshold: payable(20), To: receivable(30)}},
		`{"settleThreshold":"10","settleTo":"30"}`:       {Unlimited: true, Settle: &trace.Settle{Threshold: receivable(10), To: receivable(30)}},
	} {
		got, err := readPeer(fmt.Sprintf(`{"assetCode":"EUR","assetScale":0,"balance":%s}`, limits), "0")
		require.NoError(t, err, limits)
		want.ID, want.AssetCode = "alice", "EUR"
		require.Equal(t, []trace.Peer{want}, got.Peers, limits)
	}
}

func TestConfigRefuses(t *testing.T) {
	t.Parallel()
	limits := func(s string) string {
		return fmt.Sprintf(`{"assetCode":"EUR","assetScale":0,"balance":%s}`, s)
	}
	for peer, want := range map[string]string{
		`{"assetScale":9,"balance":{}}`:                          `peer "alice": assetCode is missing`,
		`{"assetCode":"USD","balance":{}}`:                       `peer "alice": assetScale is missing`,
		`{"assetCode":"USD","assetScale":9}`:                     `peer "alice": balance is missing`,
		`{"assetCode":"USD","assetScale":-1,"balance":{}}`:       "cannot unmarshal number -1",
		`{"assetCode":"USD","assetScale":256,"balance":{}}`:      "cannot unmarshal number 256",
		limits(`{"maximum":"-1"}`):                               `maximum "-1" is below 0`,
		limits(`{"maximum":"-Infinity"}`):                        "maximum: ",
		limits(`{"maximum":""}`):                                 "maximum: ",
		limits(`{"maximum":"1e3"}`):                              "maximum: ",
		limits(`{"maximum":"+1"}`):                               "maximum: ",
		limits(`{"maximum":5}`):                                  "cannot unmarshal number",
		limits(`{"minimum":"none"}`):                             "minimum: ",
		limits(`{"settleThreshold":"Infinity"}`):                 "settleThreshold: ",
		limits(`{"settleThreshold":"-"}`):                        "settleThreshold: ",
		limits(`{"settleThreshold":"-1","settleTo":"Infinity"}`): "settleTo: ",
		limits(`{"settleThreshold":"-1","settleTo":"-2"}`):       "settleTo is below settleThreshold",
		limits(`{"settleThreshold":"1"}`):                        "settleTo is below settleThreshold",
		limits(`{"maximum":"9` + strings.Repeat("0", 40) + `"}`): "maximum: ",
	} {
		got, err := readPeer(peer, "0")
		requireLineError(t, got, err, 1, want)
	}
	for _, peers := range []string{`{}`, `null`, `{"":{"assetCode":"USD","assetScale":9,"balance":{}}}`} {
		got, err := readLines([]string{fmt.Sprintf(`{"ms":0,"ev":"config","peers":%s}`, peers)})
		requireLineError(t, got, err, 1, "")
	}
}

func TestFinalPosition(t *testing.T) {
	t.Parallel()
	const most = "340282366920938463463374607431768211455"
	for balance, want := range map[string]string{"0": "0", "-0": "0", "5": "-5", "-5": "5", most: "-" + most, "-" + most: most} {
		got, err := readPeer(`{"assetCode":"USD","assetScale":9,"balance":{}}`, balance)
		require.NoError(t, err, balance)
		require.Equal(t, want, got.Peers[0].Final.String(), balance)
	}
}

func TestComparePositions(t *testing.T) {
	t.Parallel()
	units := ledger.NewAmount
	rising := []trace.Position{{Receivable: units(2)}, {Receivable: units(1)}, {}, {Payable: units(1)}, {Payable: units(2)}}
	for i, p := range rising {
		for j, q := range rising {
			require.Equal(t, cmp.Compare(i, j), p.Compare(q), "%v and %v", p, q)
		}
	}
}
