package timechart_test

import (
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/cmd/peerledger/internal/timechart"
)

// Read makes such figures from a book.
func ExampleChart() {
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	nothing := timechart.Flow{In: new(big.Int), Out: new(big.Int)}
	chart := timechart.Chart{Theme: timechart.Light, Figures: timechart.Figures{
		Asset:   accounts.Asset{Code: "USD", Scale: 2, Ledger: 1},
		Times:   []time.Time{begin, begin.AddDate(0, 0, 1), begin.AddDate(0, 0, 2)},
		Peers:   []timechart.Peer{{ID: "alice", Positions: []*big.Int{new(big.Int), big.NewInt(-500), big.NewInt(1234)}}},
		Settled: []timechart.Flow{nothing, {In: big.NewInt(1734), Out: new(big.Int)}},
		Packets: []timechart.Flow{{In: big.NewInt(500), Out: new(big.Int)}, nothing},
	}}
	svg, err := chart.Encode(timechart.SVG)
	if err != nil {
		panic(err)
	}
	fmt.Println(strings.Contains(string(svg), ">alice: 12.34 USD</text>"))
	// Output: true
}
