package currency

import (
	"context"
	"fmt"
	"math/big"
	"time"

	"github.com/shopspring/decimal"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/ledger"
)

// Query chooses a period and its rates.
type Query struct {
	From, To time.Time // From inclusive, To exclusive; both must be set
	// Assets are assets of the Book, default all. With some of them, Total has one side alone of packets from and to others.
	Assets []accounts.Asset
	// Rates have a rate for each asset that we own or that moves, at From and whenever it changes until To. The rate
	// at To itself values what we own then.
	Rates []Rate
	// Conversions is called for each packet that changed the currency, in the order of time; default: none. Packets of rounds are summed
	// up in the ledger and come without a call: their journal has them.
	Conversions func(*Conversion) error
	// Progress is as in [export.Query]. Default: none.
	Progress func(percent int)
}

// Compute computes the currency result of a period. It reads the whole ledger up to To, and memory does not grow with the
// number of entries.
//
// Errors: [accounts.ErrInvalid] for the query; [accounts.ErrUnknownAsset]; [ErrNoRate], naming asset and moment; [ErrSums];
// [export.ErrBooks]; errors of Conversions; or the error of a request.
func Compute(ctx context.Context, l ledger.Ledger, book *accounts.Book, q Query) (*Result, error) {
	if q.From.IsZero() || q.To.IsZero() {
		return nil, &accounts.FieldError{Subject: "currency result", Field: "From", Reason: "and To must be set"}
	}
	c := &calculator{query: &q, states: map[uint32]*assetState{}}
	_, err := export.Run(ctx, l, book, export.Query{Assets: q.Assets, From: q.From, To: q.To, Progress: q.Progress}, c)
	if err != nil {
		return nil, err
	}
	return &c.result, nil
}

// calculator receives the entries of an export. It is an export.Writer.
type calculator struct {
	query    *Query
	accounts []*export.Account
	states   map[uint32]*assetState // by ledger number
	order    []*assetState
	packet   legs
	result   Result
}

// flow is one of the flows of a Line.
type flow int

const (
	noFlow flow = iota - 1 // between two accounts of our own, or of others
	capital
	byHand
	packetsIn
	packetsOut
	fees
	dust
	other
	flowCount
)

// assetState is the state of one asset while its entries come.
type assetState struct {
	line  Line
	owned *big.Int // units
	rates []Rate   // still to come, the oldest first
	rate  decimal.Decimal
	// pending has the units of each flow since the last change of the rate: they are valued together.
	pending [flowCount]*big.Int
}

// Begin takes what we own at the beginning.
func (c *calculator) Begin(h *export.Header) error {
	c.accounts = h.Accounts
	for _, a := range h.Assets {
		rates, err := sortRates(c.query.Rates, a.Asset)
		if err != nil {
			return err
		}
		s := &assetState{line: newLine(a.Asset), owned: new(big.Int), rates: rates}
		for i := range s.pending {
			s.pending[i] = new(big.Int)
		}
		c.states[a.Ledger], c.order = s, append(c.order, s)
	}
	c.addOwned(h.Opening, func(s *assetState) *big.Int { return s.owned })
	for _, s := range c.order {
		for len(s.rates) > 0 && !s.rates[0].From.After(c.query.From) {
			s.rate, s.rates = s.rates[0].Worth, s.rates[1:]
		}
		if err := s.requireRate(c.query.From, s.owned); err != nil {
			return err
		}
		s.line.Opening, s.line.OpeningRate = Sum{new(big.Int).Set(s.owned), s.valueOf(s.owned)}, s.rate
	}
	return nil
}

func newLine(asset accounts.Asset) Line {
	l := Line{Asset: asset}
	for _, f := range append(l.flows(), &l.Opening, &l.Closing) {
		f.Units = new(big.Int)
	}
	return l
}

// addOwned adds balances of our own accounts. The balance of an account that is ours is below 0 where we have something.
func (c *calculator) addOwned(balances []export.Balance, total func(*assetState) *big.Int) {
	for i, account := range c.accounts {
		if isOwned(account) {
			sum := total(c.states[account.Asset.Ledger])
			sum.Sub(sum, balances[i].Big())
		}
	}
}

func isOwned(a *export.Account) bool {
	return a.Kind == export.KindLiquidity || a.Kind == export.KindRevenue || a.Kind == export.KindDust
}

// requireRate refuses units without a rate.
func (s *assetState) requireRate(at time.Time, units *big.Int) error {
	if s.rate.IsZero() && units.Sign() != 0 {
		return fmt.Errorf("%w of %v at %s", ErrNoRate, s.line.Asset, at.UTC().Format(time.RFC3339))
	}
	return nil
}

// valueOf values units at the present rate.
func (s *assetState) valueOf(units *big.Int) decimal.Decimal {
	return decimal.NewFromBigInt(units, -int32(s.line.Asset.Scale)).Mul(s.rate)
}

// changeRates applies the changes of the rate up to a moment, inclusive.
func (s *assetState) changeRates(until time.Time) {
	for len(s.rates) > 0 && !s.rates[0].From.After(until) {
		s.valueFlows()
		before := s.valueOf(s.owned)
		s.rate, s.rates = s.rates[0].Worth, s.rates[1:]
		s.line.Revaluation = s.line.Revaluation.Add(s.valueOf(s.owned)).Sub(before)
	}
}

// valueFlows values the pending flows.
func (s *assetState) valueFlows() {
	for i, f := range s.line.flows() {
		units := s.pending[i]
		f.Units.Add(f.Units, units)
		f.Value = f.Value.Add(s.valueOf(units))
		units.SetInt64(0)
	}
}

// Write adds an entry.
func (c *calculator) Write(e *export.Entry) error {
	s := c.states[e.Debit.Asset.Ledger]
	at := time.Unix(0, int64(e.Time))
	s.changeRates(at)
	kind, units := classify(e)
	if kind != noFlow {
		if err := s.requireRate(at, units); err != nil {
			return err
		}
		s.owned.Add(s.owned, units)
		s.pending[kind].Add(s.pending[kind], units)
	}
	return c.addLeg(e, s, units)
}

// classify returns the flow of an entry, and how it changes what we own, in units.
func classify(e *export.Entry) (flow, *big.Int) {
	own, counterpart, units := e.Credit, e.Debit, e.Amount.Big()
	if isOwned(e.Debit) {
		own, counterpart = e.Debit, e.Credit
		units.Neg(units)
	}
	if isOwned(e.Debit) == isOwned(e.Credit) {
		return noFlow, new(big.Int)
	}
	switch counterpart.Kind {
	case export.KindOutside:
		return capital, units
	case export.KindSuspense, export.KindControl:
		return byHand, units
	case export.KindOther:
		return other, units
	case export.KindPeer, export.KindArrears, export.KindSettlement, export.KindTransit, export.KindLiquidity, export.KindRevenue, export.KindDust: // the last three are ours
	}
	switch {
	case own.Kind == export.KindRevenue:
		return fees, units
	case own.Kind == export.KindDust:
		return dust, units
	case units.Sign() > 0:
		return packetsIn, units
	default:
		return packetsOut, units
	}
}

// End completes the result with the ledger's balances, and checks it.
func (c *calculator) End(summary *export.Summary) error {
	if err := c.endPacket(); err != nil {
		return err
	}
	c.addOwned(summary.Closing, func(s *assetState) *big.Int { return s.line.Closing.Units })
	c.result = Result{From: c.query.From, To: c.query.To}
	for _, s := range c.order {
		s.changeRates(c.query.To)
		s.valueFlows()
		if err := s.requireRate(c.query.To, s.line.Closing.Units); err != nil {
			return err
		}
		s.line.Closing.Value, s.line.ClosingRate = s.valueOf(s.line.Closing.Units), s.rate
		c.result.Lines = append(c.result.Lines, s.line)
	}
	c.result.addLines()
	return c.result.check()
}
