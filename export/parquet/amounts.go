package parquet

import (
	"fmt"
	"math/big"

	file "github.com/parquet-go/parquet-go"
	"github.com/shopspring/decimal"

	"github.com/peerledger/peerledger/export"
)

// maxDigits is what decimal128 holds: all readers have it, and only some have more.
const maxDigits = 38

// amounts is how a file has its amounts: as decimals of one scale, the largest of the assets, or as texts, each
// with the decimals of its asset.
type amounts struct {
	decimal bool
	scale   uint8
	factors map[uint8]*big.Int // from an asset's scale to the decimals'
}

// chooseAmounts takes decimals if the sums of all assets together have at most 38 digits.
func chooseAmounts(assets []export.Asset) amounts {
	a := amounts{factors: map[uint8]*big.Int{}}
	for _, asset := range assets {
		a.scale = max(a.scale, asset.Scale)
	}
	if a.scale > maxDigits {
		return a
	}
	sum := new(big.Int)
	for _, asset := range assets {
		factor := power(a.scale - asset.Scale)
		a.factors[asset.Scale] = factor
		sum.Add(sum, new(big.Int).Mul(asset.Bound, factor))
	}
	a.decimal = sum.Cmp(power(maxDigits)) < 0
	return a
}

func power(exponent uint8) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(exponent)), nil)
}

// node returns the type of the columns.
func (a amounts) node() file.Node {
	if !a.decimal {
		return file.String()
	}
	return file.Decimal(int(a.scale), maxDigits, file.FixedLenByteArrayType(decimalSize))
}

const decimalSize = 16

// value returns a value of the columns. The error is for an amount above its asset's bound.
func (a amounts) value(units *big.Int, scale uint8) (file.Value, error) {
	if !a.decimal {
		return text(wholeUnits(units, scale)), nil
	}
	n := new(big.Int).Mul(units, a.factors[scale])
	if n.CmpAbs(power(maxDigits)) >= 0 {
		return file.Value{}, fmt.Errorf("%v units have more than %d digits, although the bound of the asset has not", units, maxDigits)
	}
	if n.Sign() < 0 {
		n.Add(n, twoTo128) // two's complement
	}
	return file.FixedLenByteArrayValue(n.FillBytes(make([]byte, decimalSize))), nil
}

var twoTo128 = new(big.Int).Lsh(big.NewInt(1), 8*decimalSize)

// wholeUnits returns an amount in whole units, with all decimals of the scale.
func wholeUnits(units *big.Int, scale uint8) string {
	return decimal.NewFromBigInt(units, -int32(scale)).StringFixed(int32(scale))
}
