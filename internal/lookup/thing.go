package lookup

import (
	"encoding/hex"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// Thing is a thing of [accounts.Book.Find] as text. Amounts are in whole units of the asset of their side; for an asset
// that is not configured they are in units. Times are as in RFC 3339.
type Thing struct {
	What      string `json:"what"` // packet, order, payment, ...
	ID        string `json:"id"`
	State     string `json:"state"`
	From      string `json:"from"` // the account: "peer alice", "liquidity", ...
	FromAsset string `json:"from_asset,omitempty"`
	In        string `json:"in"`
	To        string `json:"to"`
	ToAsset   string `json:"to_asset,omitempty"`
	Out       string `json:"out"`
	Since     string `json:"since"`
	Expiry    string `json:"expiry,omitempty"`
	Ended     string `json:"ended,omitempty"`
	Condition string `json:"condition,omitempty"` // the first 8 bytes, in hexadecimal
	KeyHash   string `json:"key_hash,omitempty"`
	Rows      []Row  `json:"rows"`
}

// Row is a transfer of a thing.
type Row struct {
	Time     string `json:"time"`
	Step     string `json:"step"` // hold, post, void or book
	Code     uint16 `json:"code"`
	Amount   string `json:"amount"`
	Asset    string `json:"asset,omitempty"`
	Debit    string `json:"debit"`
	Credit   string `json:"credit"`
	Transfer string `json:"transfer"`
}

// NewThing writes a thing as text.
func NewThing(f *accounts.Found) Thing {
	thing := Thing{
		What: string(f.Kind), ID: f.ID.String(), State: string(f.State),
		From: f.From.String(), FromAsset: nameAsset(f.From.Asset), In: formatAmount(f.From.Asset, f.In),
		To: f.To.String(), ToAsset: nameAsset(f.To.Asset), Out: formatAmount(f.To.Asset, f.Out),
		Since: formatTime(f.Since), Expiry: formatTime(f.Expiry), Ended: formatTime(f.Ended),
	}
	if f.ConditionTag != [8]byte{} {
		thing.Condition = hex.EncodeToString(f.ConditionTag[:])
	}
	if !f.KeyHash.IsZero() {
		thing.KeyHash = f.KeyHash.String()
	}
	for _, r := range f.Rows {
		thing.Rows = append(thing.Rows, Row{
			Time: formatTime(r.Time), Step: r.Step, Code: r.Code, Amount: formatAmount(r.Asset, r.Amount), Asset: nameAsset(r.Asset),
			Debit: r.Debit.String(), Credit: r.Credit.String(), Transfer: r.Transfer.String(),
		})
	}
	return thing
}

// nameAsset returns the name of an asset; "" of one that is not configured.
func nameAsset(a accounts.Asset) string {
	if a == (accounts.Asset{}) {
		return ""
	}
	return a.String()
}

// formatAmount formats an amount in whole units of the asset, or in units if the asset is not configured.
func formatAmount(a accounts.Asset, amount ledger.Amount) string {
	if a == (accounts.Asset{}) {
		return amount.String()
	}
	return a.Format(amount)
}

// formatTime formats a time to the nanosecond as in RFC 3339; the zero time is "".
func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
