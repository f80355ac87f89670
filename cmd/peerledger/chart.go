package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/cmd/peerledger/internal/timechart"
)

// The bounds of a chart. Beyond them its bars and lines cannot be told apart.
const (
	defaultChartSteps = 60
	maxChartSteps     = 400
	maxChartPeers     = 1000
	maxChartSize      = 100 // centimetres
	maxChartDPI       = 600
)

// chartRow is what a chart shows of a peer. Amounts are in whole units of the asset, and exact.
type chartRow struct {
	Peer       string `json:"peer"`
	Asset      string `json:"asset"`
	From       string `json:"from"`
	To         string `json:"to"`
	Opening    string `json:"opening"` // the position at from; positive: we owed the peer
	Closing    string `json:"closing"` // the position at to
	SettledIn  string `json:"settled_in"`
	SettledOut string `json:"settled_out"` // returned payments included
	PacketsIn  string `json:"packets_in"`  // packets, rounds and fees, from the peer
	PacketsOut string `json:"packets_out"`
	File       string `json:"file"`
}

// chartOptions are the flags of chart.
type chartOptions struct {
	asset, from, to string
	file, theme     string
	steps, dpi      int
	width, height   float64
}

func (a *app) newChartCommand() *cobra.Command {
	var o chartOptions
	cmd := &cobra.Command{
		Use:   "chart [peer...] --file file",
		Short: "Draw positions, settlements and packets over time, as PNG or SVG",
		Long: `Draw the positions of these peers, or of all configured peers of an asset, their settlements and
their packets, from the time --from up to --to, by the ledger's clock, for a report. The name of the
file decides: .png or .svg. The file is there only when it is whole.

A line shows a peer's position at the end of each step. Of more than six peers, the five with the
greatest positions have lines of their own, and the others one together. A bar shows what moved
within a step: from the peers above zero, to the peers below. Fees are among the packets. Lines and
bars are rounded for the drawing. The texts beside them, and the table that the command prints, have
the exact amounts. The light theme is for print: lines and bars are told apart in greyscale.

The command needs the history of the peers' accounts, and reads all their bookings of this time.`,
		Example: "  peerledger chart --asset USD --from 2026-11-01 --to 2026-12-01 --file november.svg\n  peerledger chart alice bob --asset USD --from 7d --file week.png --theme dark",
		Args:    rangeArgs(0, -1),
		RunE: func(cmd *cobra.Command, names []string) error {
			begin, end, err := parseRange(o.from, o.to, time.Now())
			if err == nil {
				err = o.validate()
			}
			if err != nil {
				return err
			}
			return a.withSession(cmd.Context(), func(s *session) error {
				return s.drawChart(cmd.Context(), o, names, timechart.Query{From: begin, To: end, Steps: o.steps})
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.file, "file", "", "write this `file`, .png or .svg")
	flags.StringVar(&o.asset, "asset", "", "in this `asset`, as in USD or USD/9")
	flags.StringVar(&o.from, "from", "", "from this `time` on (default: when the first of the peers was provisioned)")
	flags.StringVar(&o.to, "to", "", "up to this `time` (default: now)")
	flags.IntVar(&o.steps, "steps", defaultChartSteps, fmt.Sprintf("the `number` of steps, up to %d", maxChartSteps))
	flags.StringVar(&o.theme, "theme", string(timechart.Light), "`light`, for print, or dark")
	flags.Float64Var(&o.width, "width", 17, "the width in `centimetres`")
	flags.Float64Var(&o.height, "height", 16, "the height in `centimetres`")
	flags.IntVar(&o.dpi, "dpi", 300, "the dots per inch of a PNG, a `number`")
	a.addListFlags(cmd)
	return cmd
}

func (o chartOptions) validate() error {
	theme := timechart.Theme(o.theme)
	switch {
	case o.file == "":
		return fmt.Errorf("%w: --file names the drawing, as in november.svg", errUsage)
	case o.format() != timechart.PNG && o.format() != timechart.SVG:
		return fmt.Errorf("%w: --file: %s must end in .png or .svg", errUsage, o.file)
	case theme != timechart.Light && theme != timechart.Dark:
		return fmt.Errorf("%w: --theme must be light or dark", errUsage)
	case o.steps < 1 || o.steps > maxChartSteps:
		return fmt.Errorf("%w: --steps must be 1 to %d", errUsage, maxChartSteps)
	case !(o.width >= 12 && o.width <= maxChartSize) || !(o.height >= 10 && o.height <= maxChartSize):
		return fmt.Errorf("%w: --width must be 12 to %d centimetres, and --height 10 to %d", errUsage, maxChartSize, maxChartSize)
	case o.dpi < 50 || o.dpi > maxChartDPI:
		return fmt.Errorf("%w: --dpi must be 50 to %d", errUsage, maxChartDPI)
	}
	return nil
}

func (o chartOptions) format() timechart.Format {
	return timechart.Format(strings.ToLower(strings.TrimPrefix(filepath.Ext(o.file), ".")))
}

// drawChart reads the figures, writes the file and prints what the file shows.
func (s *session) drawChart(ctx context.Context, o chartOptions, names []string, query timechart.Query) error {
	peers, err := s.chartPeers(ctx, names, o.asset)
	if err != nil {
		return err
	}
	figures, err := timechart.Read(ctx, s.book, peers, query)
	if err != nil {
		return err
	}
	drawn, err := timechart.Chart{Figures: figures, Theme: timechart.Theme(o.theme), Width: o.width, Height: o.height, DPI: o.dpi}.Encode(o.format())
	if err != nil {
		return err
	}
	if err := replaceFile(o.file, drawn, 0o644); err != nil {
		return fmt.Errorf("--file: %w", err)
	}
	return showChart(s.app, figures, o.file)
}

// chartPeers returns the peers of a chart, all in one asset.
func (s *session) chartPeers(ctx context.Context, names []string, asset string) ([]accounts.PeerAccount, error) {
	if len(names) == 0 {
		found, err := s.cfg.findAsset(asset)
		if err != nil {
			return nil, err
		}
		asset = found.String()
	}
	peers, err := s.parseAccounts(ctx, names, asset)
	if err != nil {
		return nil, err
	}
	for _, p := range peers {
		if p.Ledger() != peers[0].Ledger() {
			return nil, fmt.Errorf("%w: the peers are in two assets, and a chart has one: give --asset", errUsage)
		}
	}
	if len(peers) > maxChartPeers {
		return nil, fmt.Errorf("%w: a chart has at most %d peers, and these are %d: name some", errUsage, maxChartPeers, len(peers))
	}
	return peers, nil
}

// showChart prints the exact figures of a chart.
func showChart(a *app, f timechart.Figures, file string) error {
	rows := make([]chartRow, len(f.Peers))
	for i, p := range f.Peers {
		last := len(p.Positions) - 1
		rows[i] = chartRow{
			Peer: p.ID, Asset: f.Asset.String(), From: formatExactTime(f.Times[0]), To: formatExactTime(f.Times[last]),
			Opening: formatSigned(f.Asset, p.Positions[0]), Closing: formatSigned(f.Asset, p.Positions[last]),
			SettledIn: formatSigned(f.Asset, p.Settled.In), SettledOut: formatSigned(f.Asset, p.Settled.Out),
			PacketsIn: formatSigned(f.Asset, p.Packets.In), PacketsOut: formatSigned(f.Asset, p.Packets.Out), File: file,
		}
	}
	return printRows(a, rows,
		column[chartRow]{title: "peer", cell: func(r chartRow) string { return r.Peer }},
		column[chartRow]{title: "asset", cell: func(r chartRow) string { return r.Asset }},
		column[chartRow]{title: "from", isTime: true, cell: func(r chartRow) string { return r.From }, wide: true},
		column[chartRow]{title: "to", isTime: true, cell: func(r chartRow) string { return r.To }, wide: true},
		column[chartRow]{title: "opening", cell: func(r chartRow) string { return r.Opening }, right: true},
		column[chartRow]{title: "closing", cell: func(r chartRow) string { return r.Closing }, right: true},
		column[chartRow]{title: "settled in", cell: func(r chartRow) string { return r.SettledIn }, right: true},
		column[chartRow]{title: "settled out", cell: func(r chartRow) string { return r.SettledOut }, right: true},
		column[chartRow]{title: "packets in", cell: func(r chartRow) string { return r.PacketsIn }, right: true},
		column[chartRow]{title: "packets out", cell: func(r chartRow) string { return r.PacketsOut }, right: true},
		column[chartRow]{title: "file", cell: func(r chartRow) string { return r.File }},
	)
}
