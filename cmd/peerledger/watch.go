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

func (a *app) newWatchCommand() *cobra.Command {
	var asset string
	var every time.Duration
	var once bool
	cmd := &cobra.Command{
		Use:     "watch [peer...]",
		Example: "  peerledger watch\n  peerledger watch --sort position:desc --filter owing --interval 5s\n  peerledger watch --once --json",
		Short:   "Show peers, positions against thresholds, packets and orders, live",
		Long: `Show these peers, or all configured peers, and refresh every 2 s (--every): positions against
settle_at and credit lines, packets per second, open orders, and paused payments. Peers nearest
to their settle_at, or to the end of their line, come first. With --json, print one object for
each refresh. The command uses one session of the cluster. A refresh takes three requests, and
one for each asset; payments are read at the first refresh, and after each new payment.`,
		Args: rangeArgs(0, -1),
		RunE: func(cmd *cobra.Command, names []string) error {
			if !a.stdoutIsTerminal && !a.json && !once {
				return fmt.Errorf("%w: watch needs a terminal; use --once or --json", errUsage)
			}
			if every < 100*time.Millisecond {
				return fmt.Errorf("%w: --every must be at least 100ms, not %v", errUsage, every)
			}
			return a.withEngine(cmd.Context(), nil, func(s *session, engine *settlement.Engine) error {
				list, err := s.parseAccounts(cmd.Context(), names, asset)
				if err != nil {
					return err
				}
				w := &watcher{session: s, engine: engine, peers: list}
				if a.json || once {
					return a.watchPlainly(cmd.Context(), w, every, once)
				}
				return a.watchLive(cmd.Context(), w, every)
			})
		},
	}
	cmd.Flags().StringVar(&asset, "asset", "", "in this `asset` alone, as in USD or USD/9")
	cmd.Flags().DurationVar(&every, "every", 2*time.Second, "`time` between two refreshes")
	cmd.Flags().BoolVar(&once, "once", false, "print the state once")
	return cmd
}

// watchPlainly prints each snapshot, or one snapshot if once is set.
func (a *app) watchPlainly(ctx context.Context, w *watcher, every time.Duration, once bool) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		s, err := a.takeSnapshot(ctx, w)
		switch {
		case err != nil && ctx.Err() != nil:
			return nil // interrupted by the operator
		case err != nil:
			return err
		case a.json:
			err = a.printJSON(s)
		default:
			_, err = fmt.Fprintln(a.stdout, drawSnapshot(s, 0))
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

// takeSnapshot takes a snapshot within the timeout for requests.
func (a *app) takeSnapshot(ctx context.Context, w *watcher) (snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	return w.takeSnapshot(ctx)
}

// live is the terminal view. Bubbletea calls its methods one at a time; snapshots are taken in the
// background, one at a time.
type live struct {
	app     *app
	ctx     context.Context //nolint:containedctx // bubbletea's commands take no context
	watcher *watcher
	every   time.Duration

	current snapshot
	err     error // of the last snapshot
	paused  bool
	height  int
	topRow  int // index of the first visible peer
}

// snapshotMsg is the result of taking a snapshot.
type snapshotMsg struct {
	snapshot snapshot
	err      error
}

// tickMsg is sent when the next snapshot is due.
type tickMsg struct{}

// watchLive runs the terminal view.
func (a *app) watchLive(ctx context.Context, w *watcher, every time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m := live{app: a, ctx: ctx, watcher: w, every: every}
	_, err := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(a.stdin), tea.WithOutput(a.stdout)).Run()
	if ctx.Err() != nil {
		return nil // interrupted by the operator
	}
	return err
}

// Init takes the first snapshot.
func (m live) Init() tea.Cmd { return m.takeSnapshot }

// takeSnapshot is a command of bubbletea.
func (m live) takeSnapshot() tea.Msg {
	s, err := m.app.takeSnapshot(m.ctx, m.watcher)
	return snapshotMsg{s, err}
}

// scheduleTick sends a tickMsg after the refresh interval.
func (m live) scheduleTick() tea.Cmd {
	return tea.Tick(m.every, func(time.Time) tea.Msg { return tickMsg{} })
}

// Update handles keys, snapshots, ticks and changes of the window's size.
func (m live) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case snapshotMsg:
		if m.err = msg.err; msg.err == nil {
			m.current = msg.snapshot
		}
		return m, m.scheduleTick()
	case tickMsg:
		if m.paused {
			return m, m.scheduleTick()
		}
		return m, m.takeSnapshot
	case tea.WindowSizeMsg:
		m.height = msg.Height
	case tea.KeyPressMsg:
		return m.handleKey(msg.String())
	}
	return m, nil
}

// handleKey handles a key.
func (m live) handleKey(key string) (tea.Model, tea.Cmd) {
	switch key {
	case "q", "esc", "ctrl+c":
		return m, tea.Quit
	case "p", "space":
		m.paused = !m.paused
	case "down", "j":
		m.topRow = min(m.topRow+1, max(0, len(m.current.Peers)-1))
	case "up", "k":
		m.topRow = max(0, m.topRow-1)
	case "pgdown":
		m.topRow = min(m.topRow+m.countVisible(), max(0, len(m.current.Peers)-1))
	case "pgup":
		m.topRow = max(0, m.topRow-m.countVisible())
	}
	return m, nil
}

// countVisible returns how many peers fit on the screen.
func (m live) countVisible() int { return max(1, m.height-7-len(m.current.Pauses)) }

var (
	faintStyle = lipgloss.NewStyle().Faint(true)
	alarmStyle = lipgloss.NewStyle().Foreground(lipgloss.Red).Bold(true)
)

// View draws the screen.
func (m live) View() tea.View {
	s := m.current
	if s.At.IsZero() && m.err == nil {
		return tea.NewView("looking…\n")
	}
	end := len(s.Peers)
	if m.height > 0 {
		end = min(end, m.topRow+m.countVisible())
	}
	s.Peers = s.Peers[min(m.topRow, end):end]
	state := ""
	switch {
	case m.err != nil:
		state = "\n" + alarmStyle.Render("no answer: "+m.err.Error())
	case m.paused:
		state = "\n" + alarmStyle.Render("paused")
	}
	help := faintStyle.Render(fmt.Sprintf("%d to %d of %d peers · ↑ ↓ scroll · p pause · q quit", m.topRow+1, end, len(m.current.Peers)))
	view := tea.NewView(drawSnapshot(s, barWidth) + state + "\n" + help)
	view.AltScreen = true
	view.WindowTitle = "peerledger"
	return view
}

const barWidth = 10

// drawSnapshot returns a snapshot as text, with bars of this width; 0 is no bars.
func drawSnapshot(s snapshot, bars int) string {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(table.Row{"peer", "asset", "state", "position", "arrears", "settle at", "due", "credit line", "used", "order", "age"})
	var rightAligned []table.ColumnConfig
	for _, i := range []int{4, 5, 6, 7, 8, 9, 10, 11} {
		rightAligned = append(rightAligned, table.ColumnConfig{Number: i, Align: text.AlignRight})
	}
	t.SetColumnConfigs(rightAligned)
	for _, p := range s.Peers {
		t.AppendRow(table.Row{
			p.Peer, p.Asset, p.State, p.Position, p.Arrears, p.SettleAt, drawBar(p.Due, bars), p.CreditLine, drawBar(p.Used, bars), p.Order, p.OrderAge,
		})
	}
	rate := fmt.Sprintf("%.1f packets/s", s.PacketsPerSecond)
	if s.RoundsPerSecond > 0 {
		rate += fmt.Sprintf(" and %.1f rounds/s", s.RoundsPerSecond)
	}
	return fmt.Sprintf("%s · %s · %s\n%s%s",
		formatTime(s.At), rate, formatCount(s.OpenOrders, "open order"), drawPauses(s.Pauses, bars > 0), t.Render())
}

// drawPauses returns a line for each pause.
func drawPauses(pauses []pauseRow, coloured bool) string {
	var text strings.Builder
	for _, p := range pauses {
		line := fmt.Sprintf("paused: %s in %s since %s", p.describePaused(), p.Asset, p.Since)
		if coloured {
			line = alarmStyle.Render(line)
		}
		text.WriteString(line + "\n")
	}
	return text.String()
}

// drawBar draws a percentage as a bar; a negative one is "".
func drawBar(percent, width int) string {
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
