package doctor

import "fmt"

// host describes a machine for running a server. Zero values are unknown.
type host struct {
	kernel       string // e.g. "6.1.0-13-amd64"
	major, minor int    // of the kernel
	uringErr     error  // the error of setting up an io_uring
	memory       uint64 // available bytes
	memlock      uint64 // bytes that this process may lock
	unsynced     bool   // the clock is not synchronised
}

// A server's needs (tb:src/tigerbeetle/cli.zig, and measured): memory at its start with
// --development, and locked memory.
const (
	minMemory  = 2 << 30
	minMemlock = 2 << 30
)

// checkHost reports reasons why a server cannot run on a machine. A running server (serverRuns)
// already has its memory and its io_uring.
func checkHost(h host, serverRuns bool, r *Report) {
	before := len(*r)
	if h.major != 0 && (h.major < 5 || h.major == 5 && h.minor < 11) {
		r.addFinding(KernelTooOld, "host", "Linux "+h.kernel)
	}
	if h.uringErr != nil && !serverRuns {
		r.addFinding(UringBlocked, "host", "io_uring_setup: "+h.uringErr.Error())
	}
	if h.memory != 0 && h.memory < minMemory && !serverRuns {
		r.addFinding(MemoryShort, "host", fmt.Sprintf("%.1f GiB available", float64(h.memory)/(1<<30)))
	}
	if h.memlock != 0 && h.memlock < minMemlock && !serverRuns {
		r.addFinding(MemlockLow, "host", fmt.Sprintf("%d KiB may be locked", h.memlock>>10))
	}
	if h.unsynced {
		r.addFinding(ClockUnsynchronised, "host", "the kernel says that the clock is not synchronised")
	}
	if len(*r) == before && h.kernel != "" {
		r.addFinding(HostRight, "host", "Linux "+h.kernel)
	}
}
