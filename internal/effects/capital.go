package effects

import (
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// DescribeFunding returns our liquidity after capital is put in. The refusal is always "".
func DescribeFunding(p accounts.AssetPosition, amount ledger.Amount) (liquidity, refusal string) {
	sum := amount.Big()
	return FormatSigned(p.Asset, sum.Add(sum, p.Liquidity)), ""
}

// DescribeWithdrawal returns our liquidity after capital is taken out, or why the ledger refuses it.
func DescribeWithdrawal(p accounts.AssetPosition, amount ledger.Amount) (liquidity, refusal string) {
	if p.Free.Less(amount) {
		return "", fmt.Sprintf("It will be refused: of our liquidity, %s is free.", p.Asset.Text(p.Free))
	}
	rest := amount.Big()
	return FormatSigned(p.Asset, rest.Sub(p.Liquidity, rest)), ""
}

// ExplainCover adds the remedy to the error of a charge that the peer's account does not cover.
func ExplainCover(err error, b accounts.Balance) error {
	if errors.Is(err, accounts.ErrNotCovered) && !b.Closed {
		return fmt.Errorf("%w. With --beyond-headroom the rest is arrears", err)
	}
	return err
}
