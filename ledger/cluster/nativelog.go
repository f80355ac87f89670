//go:build cgo

package cluster

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// nativeLines is how many of the native client's last lines are kept for an OpenError.
const nativeLines = 3

// nativeLog is one Ledger's ear at the native client's log, of which a process has one.
type nativeLog struct {
	tell func(slog.Level, string) // Events.Log, or nil

	mu    sync.Mutex
	lines []string // the last ones, none twice
}

// nativeListeners are all ears that are open. The native log has no place for a context,
// so there is no other way to them. The list is exchanged as a whole: a line is heard while
// the native client holds a lock that turning the log takes too, so hearing must not wait
// for who is turning it.
var (
	nativeListeners atomic.Pointer[[]*nativeLog]
	nativeTurning   sync.Mutex // of those who exchange the list and turn the log
	nativeDiverted  bool       // by us; under nativeTurning
)

func listenToNative(tell func(slog.Level, string)) *nativeLog {
	n := &nativeLog{tell: tell}
	changeListeners(func(all []*nativeLog) []*nativeLog { return append(all, n) })
	return n
}

func (n *nativeLog) close() {
	changeListeners(func(all []*nativeLog) []*nativeLog {
		return slices.DeleteFunc(all, func(other *nativeLog) bool { return other == n })
	})
}

// changeListeners exchanges the list, and turns the native log if it is empty now, or has
// not been turned yet.
func changeListeners(change func([]*nativeLog) []*nativeLog) {
	nativeTurning.Lock()
	defer nativeTurning.Unlock()
	all := change(slices.Clone(listeners()))
	nativeListeners.Store(&all)
	if wanted := len(all) > 0; wanted != nativeDiverted && divertNativeLog(wanted) {
		nativeDiverted = wanted
	}
}

func listeners() []*nativeLog {
	if all := nativeListeners.Load(); all != nil {
		return *all
	}
	return nil
}

// hear takes a line and passes it on.
func (n *nativeLog) hear(level slog.Level, line string) {
	n.keep(withoutClient(line))
	if n.tell != nil {
		n.tell(level, line)
	}
}

func (n *nativeLog) keep(line string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if i := slices.Index(n.lines, line); i >= 0 {
		n.lines = slices.Delete(n.lines, i, i+1)
	}
	if n.lines = append(n.lines, line); len(n.lines) > nativeLines {
		n.lines = slices.Delete(n.lines, 0, 1)
	}
}

// last returns the last lines.
func (n *nativeLog) last() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.lines)
}

// withoutClient takes the number of the client out of a line, such as
// "(message_bus): 2453: on_connect: error", so that lines of all sessions are alike.
func withoutClient(line string) string {
	parts := strings.SplitN(line, ": ", 3)
	if len(parts) == 3 && parts[1] != "" && strings.Trim(parts[1], "0123456789") == "" {
		return parts[0] + ": " + parts[2]
	}
	return line
}
