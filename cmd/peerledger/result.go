package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/export/currency"
	"github.com/peerledger/peerledger/internal/progress"
)

// resultFlags are the flags of peerledger result.
type resultFlags struct {
	asset, from, to, month string
	ratesFile              string
	rates                  []string // as in USD=0.92, for the whole period
	currency               string   // a label
	decimals               int32
	isExact, conversions   bool
	prices                 bool
}

func (a *app) newResultCommand() *cobra.Command {
	f := resultFlags{}
	cmd := &cobra.Command{
		Use:   "result",
		Short: "Compute the currency result of a period: what we own, valued, and the gain",
		Long: `Value what we own in each asset (our liquidity, fees and remainders of conversions) at the beginning
and at the end of a period, and compute the gain. A flow is valued at the rate of its moment. For each
asset, opening value + capital + by hand + packets + fees + dust + other + revaluation = closing
value. The gain is trading (packets, fees and dust over all assets) and revaluation. A result that
does not add up, or whose entries differ from the ledger's balances, is refused. With --asset the other
side of packets between assets is missing, in trading and in the gain too.

The rates are the worth of one whole unit of an asset in your currency: --rate USD=0.92 for the whole
period, or a CSV file (--rates) with the columns from, asset and rate, in which a rate counts from its
date (UTC) until the next. The rate at the end of the period values what we own then: for November,
that of 1 December if the file has one. The currency of --currency has the rate 1 unless one is given.

Values are exact, and are rounded once, at the end, to --decimals, half away from zero. The revaluation
takes up what rounding leaves over, so lines and columns add up as they are printed. --exact rounds
nothing. --conversions lists each packet that changed the currency, with its rate and its exact margin.
Packets of rounds are in the sums alone: peerledger packets has them. --prices prints the rates as price
directives of hledger and ledger, for an export of the same period.`,
		Example: "  peerledger result --month 2026-11 --rates rates.csv --currency EUR\n  peerledger result --month 2026-11 --rate USD=0.92 --currency EUR --conversions -o csv\n  peerledger result --month 2026-11 --rates rates.csv --currency EUR --prices > prices.journal",
		Args:    exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			query, err := f.parsePeriod(time.Now())
			if err != nil {
				return err
			}
			return a.withSession(cmd.Context(), func(s *session) error { return s.computeResult(cmd, &f, query) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.asset, "asset", "", "only this `asset`, as in USD or USD/9")
	flags.StringVar(&f.from, "from", "", "from this `time` on")
	flags.StringVar(&f.to, "to", "", "before this `time`")
	flags.StringVar(&f.month, "month", "", "this `month` (2026-11), in place of --from and --to")
	flags.StringVar(&f.ratesFile, "rates", "", "read rates from this CSV `file`")
	flags.StringArrayVar(&f.rates, "rate", nil, "a `rate` for the whole period, as in USD=0.92; may be given several times")
	flags.StringVar(&f.currency, "currency", "", "the `code` of your currency, for the rate 1 of its assets")
	flags.Int32Var(&f.decimals, "decimals", 2, "round values to this `number` of decimals, 0 to 40")
	flags.BoolVar(&f.isExact, "exact", false, "round nothing")
	flags.BoolVar(&f.conversions, "conversions", false, "list the packets that changed the currency, in place of the result")
	flags.BoolVar(&f.prices, "prices", false, "print the rates as price directives of hledger and ledger, in place of the result")
	a.addListFlags(cmd)
	return cmd
}

// parsePeriod reads the period, and refuses flags that contradict each other.
func (f *resultFlags) parsePeriod(now time.Time) (q currency.Query, err error) {
	switch {
	case f.prices && f.conversions:
		return q, fmt.Errorf("%w: --prices and --conversions contradict each other", errUsage)
	case f.conversions && f.asset != "":
		return q, fmt.Errorf("%w: --conversions needs all assets: a conversion has two", errUsage)
	case f.decimals < 0 || f.decimals > 40:
		return q, fmt.Errorf("%w: --decimals must be 0 to 40", errUsage)
	case f.month == "" && (f.from == "" || f.to == ""):
		return q, fmt.Errorf("%w: give --month, or both --from and --to", errUsage)
	}
	q.From, q.To, err = parseMonth(f.month, f.from, f.to, now)
	return q, err
}

// readRates returns the rates of the flags. An asset of the currency has the rate 1, unless a rate of it is given.
func (f *resultFlags) readRates(assets []accounts.Asset) (rates []currency.Rate, err error) {
	if f.ratesFile != "" {
		file, err := os.Open(f.ratesFile)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errUsage, err)
		}
		rates, err = currency.ReadRates(file, assets)
		if err = errors.Join(err, file.Close()); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", errUsage, f.ratesFile, err)
		}
	}
	for _, text := range f.rates {
		name, number, _ := strings.Cut(text, "=")
		worth, err := currency.ParseRate(number)
		if err != nil {
			return nil, fmt.Errorf("%w: --rate %s: %w", errUsage, text, err)
		}
		found := false
		for _, asset := range assets {
			if name != "" && matchesAsset(asset, name) {
				rates, found = append(rates, currency.Rate{Asset: asset, Worth: worth}), true
			}
		}
		if !found {
			return nil, fmt.Errorf("%w: --rate %s: there is no such asset", errUsage, text)
		}
	}
	given := map[accounts.Asset]bool{}
	for _, r := range rates {
		given[r.Asset] = true
	}
	for _, asset := range assets {
		if asset.Code == f.currency && !given[asset] {
			one, _ := currency.ParseRate("1") // it is a number
			rates = append(rates, currency.Rate{Asset: asset, Worth: one})
		}
	}
	return rates, nil
}

// computeResult prints the result, or the conversions.
func (s *session) computeResult(cmd *cobra.Command, f *resultFlags, q currency.Query) (err error) {
	if q.Assets, err = s.selectAssets(f.asset); err != nil {
		return err
	}
	if q.Rates, err = f.readRates(s.book.Assets()); err != nil { // also of assets that are not asked for
		return err
	}
	if f.prices {
		return s.printPrices(f, q)
	}
	format := f.newValueFormat()
	var conversions []conversionRow
	if f.conversions {
		q.Conversions = func(c *currency.Conversion) error {
			conversions = append(conversions, newConversionRow(c))
			return nil
		}
	}
	bar := progress.New(s.stderr, s.stderrIsTerminal && !s.json, "reading", 0)
	bar.Start(100)
	percent := 0
	q.Progress = func(now int) {
		for ; percent < now; percent++ {
			bar.Step()
		}
	}
	result, err := currency.Compute(cmd.Context(), s.ledger, s.book, q)
	bar.Stop(err)
	switch {
	case errors.Is(err, currency.ErrNoRate):
		return fmt.Errorf("%w: %w; give one with --rate or --rates", errUsage, err)
	case err != nil:
		return err
	case f.conversions:
		return printRows(s.app, conversions, conversionColumns...)
	case !f.isExact:
		result = result.Round(f.decimals)
	}
	return printRows(s.app, newResultRows(result, format), resultColumns...)
}
