//go:build cgo

package cluster

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// keptLines is how many of the native client's last lines are kept for an OpenError.
const keptLines = 3

// nativeLog is one Ledger's ear at the native client's log, of which a process has one.
type nativeLog struct {
	logFunc func(slog.Level, string) // Events.Log, or nil

	mu    sync.Mutex
	lines []string // the last ones, none twice
}

// nativeListeners are all ears that are open. The native log has no place for a context,
// so there is no other way to them. The list is exchanged as a whole: a line is heard while
// the native client holds a lock that turning the log takes too, so hearing must not wait
// for who is turning it.
var (
	nativeListeners atomic.Pointer[[]*nativeLog]
	listenersMu     sync.Mutex // of those who exchange the list and turn the log
	logDiverted     bool       // by us; under listenersMu
)

func listenToNative(tell func(slog.Level, string)) *nativeLog {
	n := &nativeLog{logFunc: tell}
	changeListeners(func(all []*nativeLog) []*nativeLog { return append(all, n) })
	return n
}

func (n *nativeLog) stopListening() {
	changeListeners(func(all []*nativeLog) []*nativeLog {
		return slices.DeleteFunc(all, func(other *nativeLog) bool { return other == n })
	})
}

// changeListeners exchanges the list, and turns the native log if it is empty now, or has
// not been turned yet.
func changeListeners(change func([]*nativeLog) []*nativeLog) {
	listenersMu.Lock()
	defer listenersMu.Unlock()
	all := change(slices.Clone(currentListeners()))
	nativeListeners.Store(&all)
	if wanted := len(all) > 0; wanted != logDiverted && divertNativeLog(wanted) {
		logDiverted = wanted
	}
}

func currentListeners() []*nativeLog {
	if all := nativeListeners.Load(); all != nil {
		return *all
	}
	return nil
}

// receiveLine takes a line and passes it on.
func (n *nativeLog) receiveLine(level slog.Level, line string) {
	n.keepLine(stripClientNumber(line))
	if n.logFunc != nil {
		n.logFunc(level, line)
	}
}

func (n *nativeLog) keepLine(line string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if i := slices.Index(n.lines, line); i >= 0 {
		n.lines = slices.Delete(n.lines, i, i+1)
	}
	if n.lines = append(n.lines, line); len(n.lines) > keptLines {
		n.lines = slices.Delete(n.lines, 0, 1)
	}
}

// lastLines returns the last lines.
func (n *nativeLog) lastLines() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.lines)
}

// stripClientNumber takes the number of the client out of a line, such as
// "(message_bus): 2453: on_connect: error", so that lines of all sessions are alike.
func stripClientNumber(line string) string {
	parts := strings.SplitN(line, ": ", 3)
	if len(parts) == 3 && parts[1] != "" && strings.Trim(parts[1], "0123456789") == "" {
		return parts[0] + ": " + parts[2]
	}
	return line
}
