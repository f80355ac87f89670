package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/export/journal"
	"github.com/peerledger/peerledger/export/parquet"
	"github.com/peerledger/peerledger/internal/progress"
)

// exportFormats are the formats of exports, by name. fields are the columns of CSV and JSON lines.
var exportFormats = map[string]func(fields []string) export.Format{
	"csv":        func(fields []string) export.Format { return export.CSV(fields...) },
	"jsonl":      func(fields []string) export.Format { return export.JSONLines(fields...) },
	"hledger":    func([]string) export.Format { return journal.Hledger() },
	"ledger":     func([]string) export.Format { return journal.Ledger() },
	"beancount2": func([]string) export.Format { return journal.Beancount2() },
	"beancount3": func([]string) export.Format { return journal.Beancount3() },
	"parquet":    func([]string) export.Format { return parquet.Format() },
}

var exportFormatNames = []string{"csv", "jsonl", "hledger", "ledger", "beancount2", "beancount3", "parquet"}

// exportRow has the control totals of an asset in a written file.
type exportRow struct {
	File      string `json:"file"` // "" if there was nothing new to write
	Part      int    `json:"part,omitempty"`
	Asset     string `json:"asset"`
	Entries   uint64 `json:"entries"`
	Transfers uint64 `json:"transfers"`
	Units     string `json:"units"` // the sum of all amounts, in the smallest unit
}

// exportFlags are the flags of peerledger export.
type exportFlags struct {
	format, asset, from, to, month, sum string
	peers, fields                       []string
	isContinued, balances               bool
}

// sumNone is the value of --sum for one entry a transfer.
const sumNone = "none"

func (a *app) newExportCommand() *cobra.Command {
	f := exportFlags{format: "csv", sum: sumNone}
	cmd := &cobra.Command{
		Use:   "export file",
		Short: "Export the books to a file for accounting and table programs",
		Long: `Write every transfer that moved money to a file: packets, payments, corrections, capital. Each entry
has its debit and credit account, its amount, and the balances of both accounts after it. The export ends with
the newest transfer at the time of the call, and its balances are compared with the ledger's:
if one differs by a unit, the command fails and leaves no file. Under its own name a file is always
complete, also after a full disk or a crash. docs/accounting.md explains the formats and the columns.

The range is by the ledger's clock: --from is inclusive, --to exclusive, and --month is a whole
month in UTC. Balances before --from are summed up, so the whole ledger up to --to is read.

With --sum day there is one entry for each day (UTC), kind, debit account and credit account.

With --continue, file is a folder, which exists. Each call writes the entries since the last call to
a new file in it, entries-000001.csv and so on, and no entry is ever in two of them. What the last call
has written is in export.state beside them: keep that file. With --sum day a call
ends with the last whole day.

The table has control totals: sum the column amount up in your program, and compare. Some programs
round long numbers, or wrap them, without a word. With --balances the table has the balances of each
account before the first entry and after the last, in units: above 0 we have the money or are owed it.`,
		Example: "  peerledger export november.csv --month 2026-11\n  peerledger export --format hledger --asset USD/9 usd.hledger\n  peerledger export --continue --format jsonl /var/lib/books",
		Args:    exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			query, err := f.parseQuery(time.Now())
			if err != nil {
				return err
			}
			return a.withSession(cmd.Context(), func(s *session) error { return s.export(cmd, &f, query, args[0]) })
		},
	}
	flags := cmd.Flags()
	addChoiceFlag(flags, &f.format, "format", "format", "write this `format`: "+strings.Join(exportFormatNames, ", "), exportFormatNames...)
	flags.StringVar(&f.asset, "asset", "", "only this `asset`, as in USD or USD/9")
	flags.StringArrayVar(&f.peers, "peer", nil, "only the entries of this `peer`; may be given several times")
	flags.StringVar(&f.from, "from", "", "from this `time` on (default: the beginning)")
	flags.StringVar(&f.to, "to", "", "before this `time` (default: now)")
	flags.StringVar(&f.month, "month", "", "this `month` (2026-11), in place of --from and --to")
	addChoiceFlag(flags, &f.sum, "sum", "sum", "sum entries up: none or day", sumNone, string(export.SumDay))
	flags.BoolVar(&f.isContinued, "continue", false, "write what is new since the last call to a new file in the folder")
	flags.BoolVar(&f.balances, "balances", false, "print the opening and closing balances of the accounts in place of control totals")
	flags.StringSliceVar(&f.fields, "fields", nil, "only these `fields` of csv and jsonl, in this order, as in time,debit,credit,amount")
	a.addListFlags(cmd)
	return cmd
}

// parseQuery reads the range, and refuses flags that contradict each other.
func (f *exportFlags) parseQuery(now time.Time) (q export.Query, err error) {
	if q.From, q.To, err = parseMonth(f.month, f.from, f.to, now); err != nil {
		return q, err
	}
	if len(f.fields) > 0 && f.format != "csv" && f.format != "jsonl" {
		return q, fmt.Errorf("%w: --fields is for csv and jsonl; %s has all", errUsage, f.format)
	}
	for _, field := range f.fields {
		if !slices.Contains(export.ColumnNames(), field) {
			return q, fmt.Errorf("%w: --fields: there is no field %q; there are %s", errUsage, field, strings.Join(export.ColumnNames(), ", "))
		}
	}
	q.Peers = f.peers
	if f.sum != sumNone {
		q.Sum = export.Sum(f.sum)
	}
	return q, nil
}

// export writes the file, and prints its control totals.
func (s *session) export(cmd *cobra.Command, f *exportFlags, q export.Query, target string) error {
	var err error
	if q.Assets, err = s.selectAssets(f.asset); err != nil {
		return err
	}
	for _, asset := range q.Assets {
		q.Names = append(q.Names, s.listConfigured(asset)...)
	}
	bar := progress.New(s.stderr, s.stderrIsTerminal && !s.json, "exporting", 0)
	bar.Start(100)
	percent := 0
	q.Progress = func(now int) {
		for ; percent < now; percent++ {
			bar.Step()
		}
	}
	part, file := export.Part{}, target
	format := exportFormats[f.format](f.fields)
	if f.isContinued {
		if part, err = export.WritePart(cmd.Context(), s.ledger, s.book, q, target, format); part.Name != "" {
			file = filepath.Join(target, part.Name)
		} else {
			file = ""
		}
	} else {
		var summary *export.Summary
		if summary, err = export.WriteFile(cmd.Context(), s.ledger, s.book, q, target, format); err == nil {
			part.Summary = *summary
		}
	}
	bar.Stop(err)
	if err != nil {
		return err
	}
	if f.balances {
		return printRows(s.app, listExportBalances(&part.Summary), exportBalanceColumns...)
	}
	rows := exportRows(q.Assets, file, &part)
	if s.list.output == outputName {
		rows = rows[:1] // all assets are in the one file
	}
	return printRows(s.app, rows, exportColumns...)
}

// exportBalanceRow has the balances of an account at both ends of an export.
type exportBalanceRow struct {
	Asset   string `json:"asset"`
	Account string `json:"account"`
	Opening string `json:"opening"` // in the smallest unit: above 0 we have the money or are owed it
	Closing string `json:"closing"`
}

// listExportBalances returns the accounts of which the export has all entries.
func listExportBalances(summary *export.Summary) (rows []exportBalanceRow) {
	if summary.Header == nil { // nothing new was written
		return nil
	}
	for _, account := range summary.Header.Accounts {
		if !account.Partial {
			opening, closing := summary.Header.Opening[account.Index], summary.Closing[account.Index]
			rows = append(rows, exportBalanceRow{account.Asset.String(), account.Name(), opening.String(), closing.String()})
		}
	}
	return rows
}

var exportBalanceColumns = []column[exportBalanceRow]{
	{title: "asset", cell: func(r exportBalanceRow) string { return r.Asset }},
	{title: "account", names: true, cell: func(r exportBalanceRow) string { return r.Account }},
	{title: "opening", cell: func(r exportBalanceRow) string { return r.Opening }, right: true},
	{title: "closing", cell: func(r exportBalanceRow) string { return r.Closing }, right: true},
}

// exportRows returns the control totals of a file.
func exportRows(assets []accounts.Asset, file string, part *export.Part) []exportRow {
	rows := make([]exportRow, len(assets))
	for i, asset := range assets {
		rows[i] = exportRow{File: file, Part: part.Number, Asset: asset.String(), Units: "0"}
		if i < len(part.Summary.Totals) {
			total := &part.Summary.Totals[i]
			rows[i].Entries, rows[i].Transfers, rows[i].Units = total.Entries, total.Transfers, total.Amounts.String()
		}
	}
	return rows
}

var exportColumns = []column[exportRow]{
	{title: "asset", cell: func(r exportRow) string { return r.Asset }},
	{title: "entries", cell: func(r exportRow) string { return strconv.FormatUint(r.Entries, 10) }, right: true},
	{title: "transfers", cell: func(r exportRow) string { return strconv.FormatUint(r.Transfers, 10) }, right: true},
	{title: "units", cell: func(r exportRow) string { return r.Units }, right: true},
	{title: "file", names: true, cell: func(r exportRow) string { return r.File }},
	{title: "part", wide: true, cell: func(r exportRow) string { return strconv.Itoa(r.Part) }, right: true},
}
