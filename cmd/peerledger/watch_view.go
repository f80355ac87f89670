package main

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

var (
	faintStyle  = lipgloss.NewStyle().Faint(true)
	alarmStyle  = lipgloss.NewStyle().Foreground(lipgloss.Red).Bold(true)
	chosenStyle = lipgloss.NewStyle().Reverse(true)
)

const barWidth = 10

// watchKeys explains the keys of watch.
const watchKeys = `  ↑ ↓ j k        choose a peer
  pgup pgdn      a page up or down
  enter          open the details of the peer; enter or esc closes them
  s              sort by the next column
  f              the next filter: near the line, owing, in arrears, suspended, all
  p space        pause, or go on
  ?              these keys
  q              quit
`

// View draws the screen.
func (m live) View() tea.View {
	if m.current.At.IsZero() && m.err == nil {
		return tea.NewView("looking…\n")
	}
	body := m.drawList()
	switch {
	case m.showsKeys:
		body = watchKeys
	case m.opened != "":
		body = m.drawDetails()
	}
	state := ""
	switch {
	case m.err != nil:
		state = "\n" + alarmStyle.Render("no answer: "+m.err.Error())
	case m.paused:
		state = "\n" + alarmStyle.Render("paused")
	}
	view := tea.NewView(body + state + "\n" + faintStyle.Render(m.describeList()+" · ↑ ↓ choose · enter details · s sort · f filter · p pause · ? keys · q quit"))
	view.AltScreen = true
	view.WindowTitle = "peerledger"
	return view
}

// drawList draws the visible peers.
func (m live) drawList() string {
	s := m.current
	rows := m.rows()
	begin, end := m.visibleRange(len(rows))
	s.Peers = rows[begin:end]
	return drawSnapshot(s, barWidth, m.findChosen(rows)-begin)
}

// describeList tells which peers are visible, and in which order.
func (m live) describeList() string {
	rows := m.rows()
	begin, end := m.visibleRange(len(rows))
	text := fmt.Sprintf("%d to %d of %d peers", min(begin+1, end), end, len(rows))
	if m.choice.order != "" {
		text += " by " + m.choice.order
	}
	if len(m.choice.conditions) > 0 {
		text += " · only " + strings.Join(m.choice.conditions, ", ")
	}
	return text
}

// drawSnapshot returns a snapshot as text, with bars of this width; 0 is no bars. The row with the index
// chosen is marked; -1 marks none.
func drawSnapshot(s snapshot, bars, chosen int) string {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	var header table.Row
	var configs []table.ColumnConfig
	var shown []column[watchedRow]
	for _, c := range newWatchColumns(bars) {
		if c.wide {
			continue
		}
		shown, header = append(shown, c), append(header, c.title)
		if c.right {
			configs = append(configs, table.ColumnConfig{Number: len(shown), Align: text.AlignRight})
		}
	}
	t.AppendHeader(header)
	t.SetColumnConfigs(configs)
	for i, p := range s.Peers {
		var cells table.Row
		for j, c := range shown {
			cell := c.cell(p)
			if i == chosen && j == 0 {
				cell = chosenStyle.Render(cell)
			}
			cells = append(cells, cell)
		}
		t.AppendRow(cells)
	}
	return drawHeading(s) + drawPauses(s.Pauses, bars > 0) + t.Render()
}

// drawHeading returns the first line of a snapshot.
func drawHeading(s snapshot) string {
	rate := fmt.Sprintf("%.1f packets/s", s.PacketsPerSecond)
	if s.RoundsPerSecond > 0 {
		rate += fmt.Sprintf(" and %.1f rounds/s", s.RoundsPerSecond)
	}
	return fmt.Sprintf("%s · %s · %s\n", formatTime(s.At), rate, formatCount(s.OpenOrders, "open order"))
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
