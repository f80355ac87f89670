package bookcheck_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/bookcheck"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

var (
	usd        = accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	thresholds = bookcheck.Thresholds{Line: [2]int{80, 95}, Stuck: [2]time.Duration{time.Minute, time.Hour}}
)

func TestCheckLine(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		line, headroom uint64
		want           bookcheck.Status
		text           string
	}{
		{100, 21, bookcheck.OK, ""},
		{100, 20, bookcheck.Warning, "alice has used 80% of its line in USD/2"},
		{100, 5, bookcheck.Critical, "alice has used 95% of its line in USD/2"},
		{1000, 201, bookcheck.OK, ""}, // 79.9 is no 80
		{100, 500, bookcheck.OK, ""},  // the peer's own money
		{0, 0, bookcheck.OK, ""},
	} {
		b := accounts.Balance{CreditLine: ledger.NewAmount(test.line), Headroom: ledger.NewAmount(test.headroom)}
		got := bookcheck.CheckLine(usd, "alice", &b, thresholds)
		require.Equal(t, bookcheck.Finding{Status: test.want, Check: "credit line", Text: test.text}, got)
		b.Suspended = true
		require.Equal(t, bookcheck.OK, bookcheck.CheckLine(usd, "alice", &b, thresholds).Status)
		b.Suspended, b.Closed = false, true
		require.Equal(t, bookcheck.OK, bookcheck.CheckLine(usd, "alice", &b, thresholds).Status)
	}
}

// Arrears await the headroom: the peer has used more than its line.
func TestUsedWithArrears(t *testing.T) {
	t.Parallel()
	b := accounts.Balance{CreditLine: ledger.NewAmount(100), Headroom: ledger.NewAmount(3), Arrears: ledger.NewAmount(7)}
	require.Equal(t, 104, bookcheck.ComputeUsed(&b))
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	warning := func(check, text string) bookcheck.Finding {
		return bookcheck.Finding{Status: bookcheck.Warning, Check: check, Text: text}
	}
	require.Equal(t, warning("arrears", "alice is in arrears with 0.07 USD"), bookcheck.CheckArrears(usd, "alice", &accounts.Balance{Arrears: ledger.NewAmount(7)}))
	require.Equal(t, bookcheck.Finding{Check: "arrears"}, bookcheck.CheckArrears(usd, "alice", &accounts.Balance{}))
	require.Equal(t, warning("suspense", "1.00 USD waits in suspense for alice"), bookcheck.CheckSuspense(usd, "alice", ledger.NewAmount(100)))
	require.Equal(t, bookcheck.OK, bookcheck.CheckSuspense(usd, "alice", ledger.Amount{}).Status)
	require.Equal(t, warning("peers", "alice in USD/2 is configured, and not in the ledger"), bookcheck.CheckConfigured(usd, "alice", false))
	require.Equal(t, bookcheck.OK, bookcheck.CheckConfigured(usd, "alice", true).Status)
	require.Equal(t, warning("liquidity", "we are short of USD/2: the liquidity is -12.50"), bookcheck.CheckLiquidity(&accounts.AssetPosition{Asset: usd, Liquidity: big.NewInt(-1250)}, nil, nil))
	for _, test := range []struct {
		liquidity, warning, critical int64
		want                         bookcheck.Finding
	}{
		{1001, 1000, 500, bookcheck.Finding{Check: "liquidity"}},
		{1000, 1000, 500, warning("liquidity", "our liquidity is 10.00 USD")},
		{500, 1000, 500, bookcheck.Finding{Status: bookcheck.Critical, Check: "liquidity", Text: "our liquidity is 5.00 USD"}},
		{-1, 1000, -500, warning("liquidity", "we are short of USD/2: the liquidity is -0.01")},
	} {
		own := accounts.AssetPosition{Asset: usd, Liquidity: big.NewInt(test.liquidity)}
		require.Equal(t, test.want, bookcheck.CheckLiquidity(&own, big.NewInt(test.warning), big.NewInt(test.critical)), test)
	}
	require.Equal(t, bookcheck.OK, bookcheck.CheckLiquidity(&accounts.AssetPosition{Asset: usd, Liquidity: new(big.Int)}, nil, nil).Status)
}

func TestCheckOrder(t *testing.T) {
	t.Parallel()
	placed := time.Unix(1_800_000_000, 0)
	o := settlement.OpenOrder{Order: settlement.Order{Asset: usd, Amount: ledger.NewAmount(5), PlacedAt: placed}}
	for age, want := range map[time.Duration]bookcheck.Status{time.Minute - 1: bookcheck.OK, time.Minute: bookcheck.Warning, time.Hour: bookcheck.Critical} {
		got := bookcheck.CheckOrder(&o, placed.Add(age), thresholds)
		require.Equal(t, want, got.Status, age)
		if want != bookcheck.OK {
			require.Contains(t, got.Text, " of 0.05 USD to  is open for "+age.String())
		}
	}
}

func TestCheckTrial(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		want bookcheck.Status
	}{
		{nil, bookcheck.OK}, {accounts.ErrUnbalanced, bookcheck.Critical}, {accounts.ErrTransit, bookcheck.Critical}, {accounts.ErrMoving, bookcheck.Unknown},
	} {
		err := test.err
		if err != nil {
			err = fmt.Errorf("wrapped: %w", err)
		}
		got, failed := bookcheck.CheckTrial(err)
		require.NoError(t, failed)
		require.Equal(t, test.want, got.Status)
	}
	away := errors.New("away")
	_, err := bookcheck.CheckTrial(away)
	require.ErrorIs(t, err, away, "no verdict")
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(bookcheck.Finding{Status: bookcheck.Critical, Check: "c", Text: "t"})
	require.NoError(t, err)
	require.JSONEq(t, `{"status":"critical","check":"c","text":"t"}`, string(text))
	require.Greater(t, bookcheck.Warning.Rank(), bookcheck.Unknown.Rank(), "a known problem outweighs an unknown answer")
	require.Greater(t, bookcheck.Critical.Rank(), bookcheck.Warning.Rank())
	require.Greater(t, bookcheck.Unknown.Rank(), bookcheck.OK.Rank())
}
