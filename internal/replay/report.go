package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/jsonline"
	"github.com/peerledger/peerledger/internal/trace"
	"github.com/peerledger/peerledger/ledger"
)

// report is the result of a replay.
type report struct {
	trace    *trace.Trace
	engine   bool
	passes   []tally
	balances []accounts.Balance // of the trace's peers, in order
	totals   []total            // one per ledger
}

// total is the sum over all accounts of one ledger.
type total struct {
	asset                         accounts.Asset
	debits, credits               ledger.Amount // posted
	debitsPending, creditsPending ledger.Amount
}

// readBooks reads the balances of the peers and the totals of the ledgers.
func (r *report) readBooks(ctx context.Context, client *peerledger.Client, handles map[string]accounts.PeerAccount) error {
	peers := make([]accounts.PeerAccount, len(r.trace.Peers))
	for i, p := range r.trace.Peers {
		peers[i] = handles[p.ID]
	}
	var err error
	if r.balances, err = client.Book.Balances(ctx, peers...); err != nil {
		return err
	}
	for _, asset := range client.Book.Assets() {
		t, err := addAccounts(ctx, client.Ledger, asset)
		if err != nil {
			return err
		}
		r.totals = append(r.totals, t)
	}
	return nil
}

// addAccounts adds up all accounts of an asset's ledger.
func addAccounts(ctx context.Context, l ledger.Ledger, asset accounts.Asset) (total, error) {
	t := total{asset: asset}
	filter := ledger.QueryFilter{Ledger: asset.Ledger, Limit: ledger.QueryMax}
	for {
		page, err := l.QueryAccounts(ctx, filter)
		if err != nil {
			return t, err
		}
		for _, a := range page {
			t.debits, _ = t.debits.Add(a.DebitsPosted)
			t.credits, _ = t.credits.Add(a.CreditsPosted)
			t.debitsPending, _ = t.debitsPending.Add(a.DebitsPending)
			t.creditsPending, _ = t.creditsPending.Add(a.CreditsPending)
			filter.TimestampMin = a.Timestamp + 1
		}
		if len(page) < ledger.QueryMax {
			return t, nil
		}
	}
}

// equalPosition reports whether the position of peer i equals the trace's. With our own engine
// other amounts are settled, so positions are not compared.
func (r *report) equalPosition(i int) bool {
	return r.balances[i].Position().String() == r.trace.Peers[i].Final.String()
}

var (
	errDiffer  = errors.New("the books differ")
	errRefused = errors.New("refused, and the connector had forwarded it")
)

// maxRefusedShown is the number of refused operations shown. Most refusals follow from the first.
const maxRefusedShown = 20

// findDifferences returns an error for each difference, or nil.
func (r *report) findDifferences() error {
	var errs []error
	differ := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: "+format, append([]any{errDiffer}, args...)...))
	}
	for i, p := range r.trace.Peers {
		if !r.engine && !r.equalPosition(i) {
			differ("position of %s is %v, the trace says %v", p.ID, r.balances[i].Position(), p.Final)
		}
	}
	for i, pass := range r.passes {
		if i > 0 && pass.applied > 0 {
			differ("replay %d wrote %d operations that replay 1 had not", i+1, pass.applied)
		}
		if i > 0 && len(pass.payments) > 0 {
			differ("payments that replay %d made after those of replay 1: %d", i+1, len(pass.payments))
		}
	}
	refused := r.passes[0].refused // a second replay is refused the same operations
	for _, err := range refused[:min(len(refused), maxRefusedShown)] {
		errs = append(errs, fmt.Errorf("%w: %w", errRefused, err))
	}
	if more := len(refused) - maxRefusedShown; more > 0 {
		errs = append(errs, fmt.Errorf("%w: and %d more", errRefused, more))
	}
	for _, t := range r.totals {
		if t.debits != t.credits {
			differ("%v: debits of %v, credits of %v", t.asset, t.debits, t.credits)
		}
		if !t.debitsPending.IsZero() || !t.creditsPending.IsZero() {
			differ("%v: %v still held", t.asset, t.debitsPending)
		}
	}
	return errors.Join(errs...)
}

// line is a peer in JSON. Amounts are strings with integers, in units of 10^-scale.
type line struct {
	Peer       string `json:"peer"`
	Asset      string `json:"asset"`
	Scale      uint8  `json:"scale"`
	Position   string `json:"position"`
	SettledOut string `json:"settled_out"`
	SettledIn  string `json:"settled_in"`
	Fulfilled  int    `json:"fulfilled"`
	Rejected   int    `json:"rejected"`
}

func (r *report) listLines() []line {
	lines := make([]line, len(r.balances))
	for i, b := range r.balances {
		p := r.trace.Peers[i]
		lines[i] = line{
			Peer: p.ID, Asset: p.AssetCode, Scale: p.AssetScale, Position: b.Position().String(),
			SettledOut: b.SettledOut.String(), SettledIn: b.SettledIn.String(),
			Fulfilled: r.passes[0].fulfilled[p.ID], Rejected: r.passes[0].rejected[p.ID],
		}
	}
	return lines
}

func (r *report) writeJSON(w io.Writer) error {
	for _, l := range r.listLines() {
		if err := jsonline.Write(w, l); err != nil {
			return err
		}
	}
	return nil
}

func (r *report) writeTable(w io.Writer) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(table.Row{
		"peer", "asset", "scale", "sent, fulfilled", "sent, rejected", "settled out", "settled in", "position", "trace", "equal",
	})
	for i, l := range r.listLines() {
		equal := "no"
		switch {
		case r.engine:
			equal = "-" // other amounts are settled
		case r.equalPosition(i):
			equal = "yes"
		}
		t.AppendRow(table.Row{
			l.Peer, l.Asset, l.Scale, l.Fulfilled, l.Rejected, l.SettledOut, l.SettledIn, l.Position, r.trace.Peers[i].Final, equal,
		})
	}
	configs := make([]table.ColumnConfig, 0, 7)
	for column := 3; column <= 9; column++ {
		configs = append(configs, table.ColumnConfig{Number: column, Align: text.AlignRight})
	}
	t.SetColumnConfigs(configs)
	_, err := fmt.Fprintf(w, "%s\n%s", t.Render(), r.listRemarks())
	return err
}

// listRemarks returns the lines below the table.
func (r *report) listRemarks() string {
	s := ""
	for i, pass := range r.passes {
		rate := float64(pass.forwarded) / pass.elapsed.Seconds()
		s += fmt.Sprintf("replay %d: %d packets (%d with an amount) in %v, %.0f packets/s; %d operations applied, %d in the books before, %d refused\n",
			i+1, pass.forwarded, pass.moving, pass.elapsed.Round(10*time.Microsecond), rate,
			pass.applied, pass.repeated, len(pass.refused))
	}
	for _, t := range r.totals {
		s += fmt.Sprintf("ledger %d (%v): debits %v, credits %v, held %v\n", t.asset.Ledger, t.asset, t.debits, t.credits, t.debitsPending)
	}
	if !r.engine {
		return s
	}
	s += fmt.Sprintf("payments of our engine: %d, so positions need not be the trace's:\n", len(r.passes[0].payments))
	for _, p := range r.passes[0].payments {
		s += fmt.Sprintf("  %s: order %d, %v units of %v\n", p.Order.Account.Peer(), p.Order.Sequence, p.Paid, p.Order.Asset)
	}
	return s
}
