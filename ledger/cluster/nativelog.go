//go:build cgo

package cluster

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// keptLines is the number of the native client's last lines kept for an OpenError.
const keptLines = 3

// nativeLog receives the native client's log for one Ledger. A process has a single native log.
type nativeLog struct {
	logFunc func(slog.Level, string) // Events.Log, or nil

	mu    sync.Mutex
	lines []string // the last distinct lines
}

// nativeListeners are the open nativeLogs, in a global variable because the native log passes no
// context to its callback. The list is replaced as a whole: the native client holds a lock while it
// passes a line, and diverting the log takes the same lock, so receiving a line must not wait for
// listenersMu.
var (
	nativeListeners atomic.Pointer[[]*nativeLog]
	listenersMu     sync.Mutex // held while the list is replaced and the log diverted
	logDiverted     bool       // by this package; under listenersMu
)

func listenToNative(logFunc func(slog.Level, string)) *nativeLog {
	n := &nativeLog{logFunc: logFunc}
	changeListeners(func(all []*nativeLog) []*nativeLog { return append(all, n) })
	return n
}

func (n *nativeLog) stopListening() {
	changeListeners(func(all []*nativeLog) []*nativeLog {
		return slices.DeleteFunc(all, func(other *nativeLog) bool { return other == n })
	})
}

// changeListeners replaces the list, and diverts the native log for the first listener and restores
// it after the last.
func changeListeners(change func([]*nativeLog) []*nativeLog) {
	listenersMu.Lock()
	defer listenersMu.Unlock()
	all := change(slices.Clone(currentListeners()))
	nativeListeners.Store(&all)
	if wantDiverted := len(all) > 0; wantDiverted != logDiverted && divertNativeLog(wantDiverted) {
		logDiverted = wantDiverted
	}
}

func currentListeners() []*nativeLog {
	if all := nativeListeners.Load(); all != nil {
		return *all
	}
	return nil
}

// receiveLine keeps a line and passes it to Events.Log.
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

// lastLines returns the kept lines.
func (n *nativeLog) lastLines() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.lines)
}

// stripClientNumber removes the client's number from a line such as "(message_bus): 2453:
// on_connect: error". The lines of all sessions are alike then.
func stripClientNumber(line string) string {
	parts := strings.SplitN(line, ": ", 3)
	if len(parts) == 3 && parts[1] != "" && strings.Trim(parts[1], "0123456789") == "" {
		return parts[0] + ": " + parts[2]
	}
	return line
}
