package main

import (
	"fmt"
	"io"
	"time"

	"github.com/peerledger/peerledger/export/currency"
	"github.com/peerledger/peerledger/export/journal"
)

// printPrices prints the rates that count in the period as price directives of hledger and ledger. The commodities have the names of an export in
// these formats.
func (s *session) printPrices(f *resultFlags, q currency.Query) error {
	switch {
	case f.currency == "":
		return fmt.Errorf("%w: --prices needs --currency, the commodity of the prices", errUsage)
	case !s.printsTable():
		return fmt.Errorf("%w: --prices prints directives, and no -o or --json", errUsage)
	}
	for _, asset := range q.Assets {
		timeline, err := currency.SelectRates(q.Rates, asset, q.From, q.To)
		if err != nil {
			return err
		}
		for _, r := range timeline {
			if err := writePrice(s.stdout, f.currency, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// writePrice writes one directive. It counts for a whole day.
func writePrice(w io.Writer, code string, r currency.Rate) error {
	if at := r.From.UTC(); !at.Equal(at.Truncate(24 * time.Hour)) {
		return fmt.Errorf("%w: the rate of %v at %s: a price directive counts for a whole day", errUsage, r.Asset, at.Format(time.RFC3339))
	}
	_, err := fmt.Fprintf(w, "P %s %q %v %q\n", r.From.UTC().Format(time.DateOnly), journal.LedgerCommodity(r.Asset.Code, r.Asset.Scale), r.Worth, code)
	return err
}
