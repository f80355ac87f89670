package accounts

import (
	"fmt"
	"math/big"

	"github.com/shopspring/decimal"

	"github.com/peerledger/peerledger/ledger"
)

// Asset is a currency with its scale and its ledger number. Amounts are integers in units of
// 10^-Scale. Assets compare with ==.
type Asset struct {
	Code   string // e.g. "USD"; 1 to 32 bytes of UTF-8
	Scale  uint8  // with 9, one unit is a billionth
	Ledger uint32 // the ledger number in TigerBeetle; not 0, and unique to the asset

	// AllowLoss accepts packets within the asset that pay out more than came in: our liquidity
	// pays the difference. It also accepts packets from a different asset that pay out more than
	// the incoming amount is worth (transfers.Config.Rate). Default false: both are refused.
	AllowLoss bool
}

// String returns the asset as in "USD/9".
func (a Asset) String() string { return fmt.Sprintf("%s/%d", a.Code, a.Scale) }

// describeExactly returns all fields of the asset as text.
func (a Asset) describeExactly() string {
	loss := ""
	if a.AllowLoss {
		loss = " with AllowLoss"
	}
	return fmt.Sprintf("%v on ledger %d%s", a, a.Ledger, loss)
}

// WholeUnits converts an amount to whole units: 1500 units of USD/3 are 1.5.
func (a Asset) WholeUnits(amount ledger.Amount) decimal.Decimal { return a.signedDecimal(amount.Big()) }

func (a Asset) signedDecimal(units *big.Int) decimal.Decimal {
	return decimal.NewFromBigInt(units, -int32(a.Scale))
}

const maxAssetCode = 32

func (a Asset) validate() error {
	switch {
	case !validName(a.Code, maxAssetCode):
		return &FieldError{Subject: fmt.Sprintf("asset %q", a.Code), Field: "Code", Reason: nameRule(maxAssetCode)}
	case a.Ledger == 0:
		return &FieldError{Subject: fmt.Sprintf("asset %q", a.Code), Field: "Ledger", Reason: "must not be 0"}
	default:
		return nil
	}
}
