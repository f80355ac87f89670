package main

import (
	"context"
	"os"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"
)

// live is the terminal view. Bubbletea calls its methods one at a time; snapshots are taken in the
// background, one at a time.
type live struct {
	app     *app
	ctx     context.Context //nolint:containedctx // bubbletea's commands take no context
	watcher *watcher
	every   time.Duration

	current   snapshot
	err       error // of the last snapshot
	paused    bool
	showsKeys bool
	height    int
	topRow    int // index of the first visible peer

	choice  rowChoice
	chosen  string      // the account of the chosen peer; "" is the first row
	opened  string      // the account whose details are shown; "" is none
	details peerDetails // of an account that may be another one than opened
}

// snapshotMsg is the result of taking a snapshot.
type snapshotMsg struct {
	snapshot snapshot
	err      error
}

// tickMsg is sent when the next snapshot is due.
type tickMsg struct{}

// watchLive runs the terminal view.
func (a *app) watchLive(ctx context.Context, w *watcher, choice rowChoice, interval time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m := live{app: a, ctx: ctx, watcher: w, every: interval, choice: choice}
	options := []tea.ProgramOption{tea.WithContext(ctx), tea.WithInput(a.stdin), tea.WithOutput(a.stdout)}
	switch a.colour {
	case colourNever:
		options = append(options, tea.WithEnvironment(append(os.Environ(), "NO_COLOR=1")))
	case colourAlways:
		options = append(options, tea.WithEnvironment(append(os.Environ(), "NO_COLOR=", "CLICOLOR_FORCE=1")))
	}
	_, err := tea.NewProgram(m, options...).Run()
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

// readOpened returns a command that reads the details of the opened peer; nil without one.
func (m live) readOpened() tea.Cmd {
	row, found := m.findOpened()
	if !found {
		return nil
	}
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(m.ctx, m.app.timeout)
		defer cancel()
		return m.watcher.readDetails(ctx, row.balance)
	}
}

// Update handles keys, snapshots, details, ticks and changes of the window's size.
func (m live) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case snapshotMsg:
		if m.err = msg.err; msg.err == nil {
			m.current = msg.snapshot
		}
		return m.scroll(), tea.Batch(m.scheduleTick(), m.readOpened())
	case peerDetails:
		m.details = msg
	case tickMsg:
		if m.paused {
			return m, m.scheduleTick()
		}
		return m, m.takeSnapshot
	case tea.WindowSizeMsg:
		m.height = msg.Height
		return m.scroll(), nil
	case tea.KeyPressMsg:
		return m.handleKey(msg.String())
	}
	return m, nil
}

// handleKey handles a key.
func (m live) handleKey(key string) (tea.Model, tea.Cmd) {
	switch key {
	case "q", "ctrl+c":
		return m, tea.Quit
	case "esc", "?", "enter":
		return m.openOrClose(key)
	case "p", "space":
		m.paused = !m.paused
	case "s":
		m.choice.nextOrder()
	case "f":
		m.choice.nextFilter()
	case "down", "j":
		return m.choose(1), nil
	case "up", "k":
		return m.choose(-1), nil
	case "pgdown":
		return m.choose(m.countVisible()), nil
	case "pgup":
		return m.choose(-m.countVisible()), nil
	}
	return m.scroll(), nil
}

// openOrClose handles the keys that open or close keys and details. Esc in the list quits.
func (m live) openOrClose(key string) (tea.Model, tea.Cmd) {
	switch {
	case m.showsKeys:
		m.showsKeys = false
	case key == "?":
		m.showsKeys = true
	case m.opened != "":
		m.opened = ""
	case key == "esc":
		return m, tea.Quit
	default:
		if rows := m.rows(); len(rows) > 0 {
			m.opened = rows[m.findChosen(rows)].Account
			return m, m.readOpened()
		}
	}
	return m, nil
}

// rows returns the peers of the list.
func (m live) rows() []watchedRow {
	rows, err := m.choice.chooseRows(m.current.Peers)
	if err != nil { // the command has checked the order
		return m.current.Peers
	}
	return rows
}

// findChosen returns the index of the chosen peer; 0 if the peer is not in the list.
func (m live) findChosen(rows []watchedRow) int {
	return max(0, slices.IndexFunc(rows, func(r watchedRow) bool { return r.Account == m.chosen }))
}

// findOpened returns the row of the opened peer, which a filter may hide in the list.
func (m live) findOpened() (watchedRow, bool) {
	i := slices.IndexFunc(m.current.Peers, func(r watchedRow) bool { return r.Account == m.opened })
	if m.opened == "" || i < 0 {
		return watchedRow{}, false
	}
	return m.current.Peers[i], true
}

// choose moves the choice by some rows.
func (m live) choose(rows int) live {
	list := m.rows()
	if len(list) > 0 && m.opened == "" && !m.showsKeys {
		m.chosen = list[min(max(0, m.findChosen(list)+rows), len(list)-1)].Account
	}
	return m.scroll()
}

// scroll keeps the chosen peer visible.
func (m live) scroll() live {
	rows := m.rows()
	chosen, visible := m.findChosen(rows), m.countVisible()
	if m.height == 0 {
		m.topRow = 0
		return m
	}
	m.topRow = min(m.topRow, chosen, max(0, len(rows)-1))
	m.topRow = max(m.topRow, chosen-visible+1)
	return m
}

// visibleRange returns the indices of the visible peers of a list.
func (m live) visibleRange(count int) (begin, end int) {
	end = count
	if m.height > 0 {
		end = min(end, m.topRow+m.countVisible())
	}
	return min(m.topRow, end), end
}

// countVisible returns how many peers fit on the screen.
func (m live) countVisible() int { return max(1, m.height-7-len(m.current.Pauses)) }
