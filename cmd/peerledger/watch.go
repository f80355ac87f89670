package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/settlement"
)

func (a *app) watchCommand() *cobra.Command {
	var asset string
	var every time.Duration
	var once bool
	cmd := &cobra.Command{
		Use:   "watch [peer...]",
		Short: "Peers, positions against thresholds, packets and orders, live",
		Long: `Shows these peers, or all that are configured, again and again: their positions against
settle_at and their credit lines, packets per second, open orders, and payments that are paused.
Those that are nearest to being paid, or to the end of their line, come first. With --json it
prints one object for each look. It uses one session of the cluster, and for each look three
requests and one for each asset; payments are read at the first look, and later when there are
new ones.`,
		Args: between(0, -1),
		RunE: func(cmd *cobra.Command, names []string) error {
			if !a.shown && !a.json && !once {
				return fmt.Errorf("%w: watch needs a terminal; use --once or --json", errUsage)
			}
			if every < 100*time.Millisecond {
				return fmt.Errorf("%w: --every must be at least 100ms, not %v", errUsage, every)
			}
			return a.atEngine(cmd.Context(), nil, func(d *desk, engine *settlement.Engine) error {
				list, err := d.accounts(cmd.Context(), names, asset)
				if err != nil {
					return err
				}
				w := &watcher{desk: d, engine: engine, list: list}
				if a.json || once {
					return a.watchPlainly(cmd.Context(), w, every, once)
				}
				return a.watchLive(cmd.Context(), w, every)
			})
		},
	}
	cmd.Flags().StringVar(&asset, "asset", "", "in this `asset` alone, as in USD or USD/9")
	cmd.Flags().DurationVar(&every, "every", 2*time.Second, "`time` between two looks")
	cmd.Flags().BoolVar(&once, "once", false, "look once")
	return cmd
}

// watchPlainly prints each snapshot.
func (a *app) watchPlainly(ctx context.Context, w *watcher, every time.Duration, once bool) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		s, err := a.look(ctx, w)
		switch {
		case err != nil && ctx.Err() != nil:
			return nil // somebody has seen enough
		case err != nil:
			return err
		case a.json:
			err = a.print(s)
		default:
			_, err = fmt.Fprintln(a.stdout, drawn(s, 0))
		}
		if err != nil || once {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// look takes a snapshot within the time that the ledger has to answer.
func (a *app) look(ctx context.Context, w *watcher) (snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	return w.take(ctx)
}

// live is the terminal view. Its methods are called one at a time; looks are taken in the
// background, one at a time.
type live struct {
	app     *app
	ctx     context.Context //nolint:containedctx // bubbletea's commands take none
	watcher *watcher
	every   time.Duration

	shown  snapshot
	err    error // of the last look
	paused bool
	height int
	first  int // row on top
}

// looked is a look that was taken.
type looked struct {
	snapshot snapshot
	err      error
}

// due says that it is time to look again.
type due struct{}

func (a *app) watchLive(ctx context.Context, w *watcher, every time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m := live{app: a, ctx: ctx, watcher: w, every: every}
	_, err := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(a.stdin), tea.WithOutput(a.stdout)).Run()
	if ctx.Err() != nil {
		return nil // somebody has seen enough
	}
	return err
}

// Init takes the first look.
func (m live) Init() tea.Cmd { return m.look }

func (m live) look() tea.Msg {
	s, err := m.app.look(m.ctx, m.watcher)
	return looked{s, err}
}

func (m live) later() tea.Cmd {
	return tea.Tick(m.every, func(time.Time) tea.Msg { return due{} })
}

// Update takes keys and looks.
func (m live) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case looked:
		if m.err = msg.err; msg.err == nil {
			m.shown = msg.snapshot
		}
		return m, m.later()
	case due:
		if m.paused {
			return m, m.later()
		}
		return m, m.look
	case tea.WindowSizeMsg:
		m.height = msg.Height
	case tea.KeyPressMsg:
		return m.press(msg.String())
	}
	return m, nil
}

func (m live) press(key string) (tea.Model, tea.Cmd) {
	switch key {
	case "q", "esc", "ctrl+c":
		return m, tea.Quit
	case "p", "space":
		m.paused = !m.paused
	case "down", "j":
		m.first = min(m.first+1, max(0, len(m.shown.Peers)-1))
	case "up", "k":
		m.first = max(0, m.first-1)
	case "pgdown":
		m.first = min(m.first+m.rows(), max(0, len(m.shown.Peers)-1))
	case "pgup":
		m.first = max(0, m.first-m.rows())
	}
	return m, nil
}

// rows is how many peers have room on the screen.
func (m live) rows() int { return max(1, m.height-7-len(m.shown.Pauses)) }

var (
	faint = lipgloss.NewStyle().Faint(true)
	alarm = lipgloss.NewStyle().Foreground(lipgloss.Red).Bold(true)
)

// View draws the screen.
func (m live) View() tea.View {
	s := m.shown
	if s.At.IsZero() && m.err == nil {
		return tea.NewView("looking…\n")
	}
	end := len(s.Peers)
	if m.height > 0 {
		end = min(end, m.first+m.rows())
	}
	s.Peers = s.Peers[min(m.first, end):end]
	state := ""
	switch {
	case m.err != nil:
		state = "\n" + alarm.Render("no answer: "+m.err.Error())
	case m.paused:
		state = "\n" + alarm.Render("paused")
	}
	help := faint.Render(fmt.Sprintf("%d to %d of %d peers · ↑ ↓ scroll · p pause · q quit", m.first+1, end, len(m.shown.Peers)))
	view := tea.NewView(drawn(s, barWidth) + state + "\n" + help)
	view.AltScreen = true
	view.WindowTitle = "peerledger"
	return view
}

const barWidth = 10

// drawn is a snapshot as text, with bars of this width; 0 is without.
func drawn(s snapshot, bars int) string {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(table.Row{"peer", "asset", "state", "position", "arrears", "settle at", "due", "credit line", "used", "order", "age"})
	var right []table.ColumnConfig
	for _, i := range []int{4, 5, 6, 7, 8, 9, 10, 11} {
		right = append(right, table.ColumnConfig{Number: i, Align: text.AlignRight})
	}
	t.SetColumnConfigs(right)
	for _, p := range s.Peers {
		t.AppendRow(table.Row{
			p.Peer, p.Asset, p.State, p.Position, p.Arrears, p.SettleAt, bar(p.Due, bars), p.CreditLine, bar(p.Used, bars), p.Order, p.OrderAge,
		})
	}
	return fmt.Sprintf("%s UTC · %.1f packets/s · %s\n%s%s",
		moment(s.At), s.PacketsPerSecond, counted(s.OpenOrders, "open order"), paused(s.Pauses, bars > 0), t.Render())
}

// paused has a line for each pause.
func paused(pauses []pauseRow, coloured bool) string {
	var text strings.Builder
	for _, p := range pauses {
		line := fmt.Sprintf("paused: %s in %s since %s UTC", p.what(), p.Asset, p.Since)
		if coloured {
			line = alarm.Render(line)
		}
		text.WriteString(line + "\n")
	}
	return text.String()
}

// bar draws a share in percent; below 0 is none.
func bar(percent, width int) string {
	if percent < 0 {
		return ""
	}
	number := fmt.Sprintf("%d%%", percent)
	if width == 0 {
		return number
	}
	full := min(width, percent*width/100)
	return strings.Repeat("█", full) + strings.Repeat("░", width-full) + fmt.Sprintf(" %4s", number)
}
