package aggregate

import (
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// Stats are numbers of a running [Recorder]. The counts begin with the recorder. The numbers of Assets are
// read after the others, a thousand peers at a time: sums need not be exact.
type Stats struct {
	// Operations counts the answered operations, by kind and outcome.
	Operations OperationCounts
	// Requests counts the requests that the ledger has answered, by purpose. RequestFailures counts
	// those that failed and were sent again.
	Requests        RequestCounts
	RequestFailures uint64
	// Rounds counts the rounds that the ledger has. RefusedAttempts counts the attempts of rounds
	// that the ledger refused; each was followed by another.
	Rounds          uint64
	RefusedAttempts uint64
	// TopUpsGranted counts the new reservations that the ledger has created beside those of rounds, and
	// TopUpsRefused those that it refused, because others have taken the headroom.
	TopUpsGranted uint64
	TopUpsRefused uint64

	// OpenPackets are prepared and not resolved. WaitingPrepares wait for a look-up or a top-up.
	// RememberedPackets are all whose horizon has not passed, with the open ones.
	OpenPackets       int
	WaitingPrepares   int
	RememberedPackets int
	// UnbookedPackets are fulfilled, and in no round that the ledger has. OldestUnbooked is the
	// time since the first of them was fulfilled, 0 without any. If an earlier process has left them, it is at
	// least the time since the start.
	UnbookedPackets uint64
	OldestUnbooked  time.Duration
	// UnsyncedBytes are appended to the journal and not on disk yet.
	UnsyncedBytes int64
	// ArchiveFiles and ArchiveBytes are the size of the archive on disk.
	ArchiveFiles int
	ArchiveBytes int64

	// Assets has the reservations, by asset, in the order of [accounts.Book.Assets].
	Assets []AssetStats
	// Stopped is set when the recorder takes no more operations after a fault ([ErrStopped]).
	Stopped bool
}

// AssetStats are the reservations of all peers in an asset, in units of the asset.
type AssetStats struct {
	Asset accounts.Asset
	// Senders is the number of peers with a reservation.
	Senders int
	// Reserved is the sum of the reservations, Held the part that open packets hold, and Used the
	// part that fulfilled packets have used since the last round was cut.
	Reserved, Held, Used ledger.Amount
	// Headroom is the headroom of the senders at their last look-ups, with Reserved, less what
	// rounds have taken since.
	Headroom ledger.Amount
}

// OperationCounts counts operations by kind and outcome.
type OperationCounts struct {
	counts [transfers.KindForward + 1][ledger.OutcomeRefused + 1]uint64
}

// Of returns the number of operations of a kind with an outcome: applied, already applied or
// refused. It returns 0 for all others.
func (c *OperationCounts) Of(kind transfers.Kind, outcome ledger.Outcome) uint64 {
	if int(kind) >= len(c.counts) || int(outcome) >= len(c.counts[0]) {
		return 0
	}
	return c.counts[kind][outcome]
}

// RequestCounts counts answered requests to the ledger by purpose.
type RequestCounts struct {
	Rounds   uint64 // attempts of rounds
	TopUps   uint64 // new reservations
	LookUps  uint64 // of peers' accounts: after the poll interval, and before top-ups
	Repairs  uint64 // look-ups and voids between two attempts of a round
	Recovery uint64 // what the start after an earlier process needed
}

// Total returns the number of all requests.
func (c RequestCounts) Total() uint64 {
	return c.Rounds + c.TopUps + c.LookUps + c.Repairs + c.Recovery
}

// counts are the numbers of a machine that only grow, and of refused peers.
type counts struct {
	operations OperationCounts
	requests   RequestCounts

	requestFailures, rounds, refusedAttempts, topUpsGranted, topUpsRefused uint64

	debtors, refused int // peers, as of their last look-ups
}

func (c *counts) countReply(kind transfers.Kind, r *reply) {
	if int(kind) < len(c.operations.counts) { // no operation has another
		c.operations.counts[kind][r.outcome]++
	}
}

// countWork counts the operations and rounds that were decided after a wait.
func (c *counts) countWork(w *work) {
	for i := range w.decided {
		c.countReply(w.decided[i].op.Kind, &w.decided[i].reply)
	}
	for i := range w.applied {
		c.rounds++
		c.refusedAttempts += uint64(w.applied[i].round.attempt)
	}
}

func (c *counts) countRequest(kind requestKind) {
	switch kind {
	case requestRound:
		c.requests.Rounds++
	case requestTopUps:
		c.requests.TopUps++
	case requestPeers:
		c.requests.LookUps++
	case requestHolds, requestParties, requestVoids:
		c.requests.Repairs++
	case requestRecover, requestAdopt, requestRelease:
		c.requests.Recovery++
	}
}

// countPeer adds a peer to those in arrears and to those that are refused, or takes it out (-1).
func (c *counts) countPeer(p *peer, step int) {
	if p.debtor {
		c.debtors += step
	}
	if p.refusal != nil {
		c.refused += step
	}
}

// Stats returns the numbers that recorders have in common, without a request to the ledger. Backlog are the
// fulfilled packets that no round of the ledger has, with the prepares that wait, and InFlight those of
// the round under way. BacklogMax is 0: the bound is the journal's disk, and BacklogFull tells
// whether it is too far behind. SuspendedPeers also has the known peers that are closed or not
// provisioned.
func (r *Recorder) Stats() transfers.Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.machine
	s := transfers.Stats{
		Backlog: int(m.unbooked()) + len(m.waiting), BacklogFull: r.journal.isBehind(), SuspendedPeers: m.counts.refused,
	}
	if m.round != nil {
		s.InFlight = int(m.round.round.packets)
	}
	if !m.rules.allowArrears {
		s.PeersInArrears = m.counts.debtors
	}
	return s
}

// RoundStats returns the numbers of the rounds, without a request to the ledger. It looks at each
// peer once, some 10 ns each, and other calls wait for a thousand peers at most.
func (r *Recorder) RoundStats() Stats {
	r.mu.Lock()
	s := r.machine.stats()
	s.OldestUnbooked = max(0, time.Duration(r.clock.now().wall-r.machine.oldestUnbooked()))
	if s.UnbookedPackets == 0 {
		s.OldestUnbooked = 0
	}
	r.mu.Unlock()
	if r.journal.log != nil {
		s.UnsyncedBytes = r.journal.log.UnsyncedBytes()
	}
	s.ArchiveFiles, s.ArchiveBytes = r.journal.archive.get()
	byNumber := map[uint32]*AssetStats{}
	for _, a := range r.book.Assets() {
		s.Assets = append(s.Assets, AssetStats{Asset: a})
	}
	for i := range s.Assets {
		byNumber[s.Assets[i].Asset.Ledger] = &s.Assets[i]
	}
	for first, more := 0, true; more; first += peersAtOnce {
		more = r.addReservations(byNumber, first)
	}
	return s
}

// stats returns the numbers that need no look at the peers.
func (m *machine) stats() Stats {
	c := &m.counts
	return Stats{
		Operations: c.operations, Requests: c.requests, RequestFailures: c.requestFailures, Rounds: c.rounds,
		RefusedAttempts: c.refusedAttempts, TopUpsGranted: c.topUpsGranted, TopUpsRefused: c.topUpsRefused,
		OpenPackets: m.held.count - len(m.waiting), WaitingPrepares: len(m.waiting), RememberedPackets: m.memory.live,
		UnbookedPackets: m.unbooked(), Stopped: m.stopped != nil,
	}
}

// unbooked returns the number of fulfilled packets that no round of the ledger has.
func (m *machine) unbooked() (packets uint64) {
	if m.round != nil {
		packets = m.round.round.packets
	}
	for _, t := range m.tallies {
		packets += t.packets
	}
	return packets
}

// oldestUnbooked returns the wall clock of the first fulfill that no round of the ledger has.
func (m *machine) oldestUnbooked() int64 {
	switch {
	case m.round != nil && m.round.round.packets > 0:
		return m.round.report.begunAt
	case len(m.tallies) > 0:
		return m.tallies[0].begunAt
	default:
		return m.wall
	}
}

// peersAtOnce is how many peers addReservations looks at.
const peersAtOnce = 1000

// addReservations adds the reservations of some peers to the sums. It reports whether there are more
// peers.
func (r *Recorder) addReservations(sums map[uint32]*AssetStats, first int) (more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	peers := r.machine.peers
	last := min(first+peersAtOnce, len(peers))
	for _, p := range peers[min(first, last):last] {
		reserved := p.reservedInAll()
		if reserved == 0 {
			continue
		}
		s := sums[p.asset.number]
		s.Senders++
		s.Reserved, _ = s.Reserved.Add(ledger.NewAmount(reserved))
		s.Held, _ = s.Held.Add(ledger.NewAmount(p.held))
		s.Used, _ = s.Used.Add(p.used)
		s.Headroom, _ = s.Headroom.Add(ledger.NewAmount(p.headroom))
	}
	return last < len(peers)
}
