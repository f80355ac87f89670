package aggregate

import (
	"cmp"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// machine decides packets and forms rounds. It has no goroutines, no clock, and does no I/O: its
// inputs are operations (submit), the time, the journal's progress (markSynced) and the ledger's
// answers (answer*); its outputs are results, records for the journal and requests to the ledger
// (nextRequest). One goroutine at a time uses it.
type machine struct {
	rules   rules
	book    *accounts.Book
	journal recordWriter
	newID   func() ledger.ID // a fresh id of a transfer

	wall  int64         // the wall clock, ns since the Unix epoch
	clock int64         // the highest wall clock seen
	mono  time.Duration // the monotonic clock

	peers    map[accounts.PeerAccount]*peer
	packets  map[ledger.ID]*packet
	timeline timeline
	overdue  []*packet // fulfilled, beyond their horizon, and in no applied round
	tallies  []*tally  // fulfills that no round has; the last one grows
	decided  []decision

	records  uint64 // appended to the journal by this machine
	synced   uint64 // of them on disk
	fulfills uint64 // number of the last fulfill

	number  uint64 // of the last round
	through uint64 // number of the last fulfill in an applied round
	round   *roundJob
	cutAt   time.Duration // of the last round
	cutNow  bool          // cut as soon as no round is under way
	flushTo uint64        // number of the last fulfill to write without waiting for the interval

	wants    []*peer  // to look up, and to top up if packets wait or reservations are short
	lookedUp []*peer  // of the look-up under way
	topUps   []topUp  // to send next
	renewals []*peer  // whose reservations the next round renews
	inFlight *request // waits for its answer
	isTimed  bool     // the shell waits no longer than the round interval
	yield    bool     // a round goes ahead of the next look-up
	polledAt time.Duration
	recovery recovery
	closing  bool
	stopped  error
	applied  []*round // for the shell's events; it takes them
}

// rules are the settings of a machine.
type rules struct {
	journal      uint64        // the journal's number
	timeout      uint32        // of reservations, seconds
	margin       time.Duration // from a packet's expiry to the end of its hold
	minHold      time.Duration // least time to the expiry of a new packet
	maxHold      time.Duration // longest time to the expiry of a new packet
	outage       time.Duration // the longest outage of the ledger to survive, with the round interval
	horizon      time.Duration // from the end of a hold until the packet is forgotten
	interval     time.Duration // between rounds
	poll         time.Duration // between looks at all peers
	maxLegs      int           // of a request
	allowArrears bool
}

// renewAfter returns the age at which a reservation is renewed.
func (r *rules) renewAfter() time.Duration {
	return time.Duration(r.timeout)*time.Second - r.maxHold - r.margin - r.outage
}

// moment is a moment of both clocks.
type moment struct {
	wall int64         // ns since the Unix epoch; may jump
	mono time.Duration // never jumps
}

// recordWriter takes records for the journal. They reach the disk in order.
type recordWriter interface {
	appendRecord(kind uint8, data []byte)
}

// decision is the result of an operation that had to wait, for the caller with the token.
type decision struct {
	token any
	reply reply
}

// reply is the answer to an operation. The caller gets the result when the record is on disk.
type reply struct {
	result transfers.Result
	record uint64 // 0: needs no record
}

func newMachine(book *accounts.Book, r rules, journal recordWriter, newID func() ledger.ID) *machine {
	return &machine{
		rules: r, book: book, journal: journal, newID: newID,
		peers: map[accounts.PeerAccount]*peer{}, packets: map[ledger.ID]*packet{},
		timeline: timeline{horizon: r.horizon},
	}
}

// peerOf returns the peer with a handle; nil for ourselves.
func (m *machine) peerOf(a accounts.PeerAccount) *peer {
	if a.IsOwn() {
		return nil
	}
	p := m.peers[a]
	if p == nil {
		p = &peer{account: a, ids: m.book.PeerIDs(a)}
		m.peers[a] = p
	}
	return p
}

// appendRecord appends a record to the journal and returns its number.
func (m *machine) appendRecord(kind uint8, data []byte) uint64 {
	m.journal.appendRecord(kind, data)
	m.records++
	return m.records
}

// markSynced notes that the first n records of this machine are on disk.
func (m *machine) markSynced(n uint64) { m.synced = max(m.synced, n) }

// submit takes an operation. If it returns pending, the reply comes later as a decision with the
// token.
func (m *machine) submit(now moment, op *transfers.Op, token any) (r reply, pending bool) {
	m.observe(now)
	if err := m.checkOp(op); err != nil {
		return refuse(op, err), false
	}
	k := m.remembered(op.Packet.ID)
	switch {
	case k != nil && !k.sameAs(&op.Packet):
		return refuse(op, fmt.Errorf("%w: packet %v has other amounts or peers", ledger.ErrIDConflict, op.Packet.ID)), false
	case k != nil && k.state == stateWaiting:
		k.queue = append(k.queue, queued{*op, token})
		return reply{}, true
	case op.Kind == transfers.KindPrepare:
		return m.prepare(k, op, token)
	case op.Kind == transfers.KindReject:
		return m.reject(k, op), false
	default:
		return m.fulfill(k, op), false
	}
}

// checkOp finds the faults that need no peer.
func (m *machine) checkOp(op *transfers.Op) error {
	if m.stopped != nil {
		return m.stopped
	}
	if err := op.Validate(); err != nil {
		return err
	}
	p := &op.Packet
	for _, a := range []accounts.PeerAccount{p.From, p.To} {
		if _, known := m.book.Asset(a.Ledger()); !known {
			return fmt.Errorf("%w: of %v", accounts.ErrUnknownAsset, a)
		}
	}
	const lastYear = 2200 // nanoseconds since 1970 fit 64 bits until 2262
	if year := p.Expiry.Year(); year < 1970 || year > lastYear {
		return &transfers.PacketError{Kind: op.Kind, ID: p.ID, Field: "Expiry", Reason: "is missing, or not between 1970 and 2200"}
	}
	return nil
}

// flows returns the flows of a packet.
func (m *machine) flows(p *transfers.Packet) (packetFlows, error) {
	asset, _ := m.book.Asset(p.From.Ledger())
	return flowsOf(p, asset.AllowLoss)
}

func refuse(op *transfers.Op, err error) reply {
	return reply{result: transfers.Result{
		Kind: op.Kind, Packet: op.Packet, Outcome: ledger.OutcomeRefused,
		Err: fmt.Errorf("%v of packet %v: %w", op.Kind, op.Packet.ID, err),
	}}
}

// refuseConflict refuses the fulfill of a rejected packet, or the reject of a fulfilled one. The
// answer rests on the record of the first.
func refuseConflict(op *transfers.Op, k *packet) reply {
	r := refuse(op, transfers.ErrPacketConflict)
	r.record = k.record
	return r
}

func accept(op *transfers.Op, k *packet, outcome ledger.Outcome) reply {
	return reply{result: transfers.Result{Kind: op.Kind, Packet: k.packet, Outcome: outcome}, record: k.record}
}

// prepare decides a new packet, or lets it wait for a look-up or a top-up.
func (m *machine) prepare(k *packet, op *transfers.Op, token any) (r reply, pending bool) {
	if k != nil {
		return accept(op, k, ledger.OutcomeAlreadyApplied), false
	}
	k = &packet{packet: op.Packet, state: stateWaiting, index: -1}
	if err := m.initPrepare(k); err != nil {
		return refuse(op, err), false
	}
	if done, err := m.decidePrepare(k); err != nil {
		return refuse(op, err), false
	} else if done {
		m.remember(k)
		return accept(op, k, ledger.OutcomeApplied), false
	}
	k.queue = append(k.queue, queued{*op, token})
	m.remember(k)
	return reply{}, true
}

// initPrepare checks a new packet and fixes its end.
func (m *machine) initPrepare(k *packet) (err error) {
	if m.closing {
		return transfers.ErrRecorderClosed
	}
	p := &k.packet
	if k.flows, err = m.flows(p); err != nil {
		return err
	}
	k.sender = m.peerOf(p.From)
	// The highest wall clock counts: a hold must end after the horizon's clock has passed it.
	left := time.Duration(p.Expiry.UnixNano() - m.clock)
	if left < m.rules.minHold {
		return fmt.Errorf("%w: %v until %v, want %v", transfers.ErrHoldTooShort, left, p.Expiry, m.rules.minHold)
	}
	if left > m.rules.maxHold {
		return &transfers.PacketError{Kind: transfers.KindPrepare, ID: p.ID, Field: "Expiry", Reason: fmt.Sprintf("must be within Config.MaxHold, %v", m.rules.maxHold)}
	}
	p.Hold = left + m.rules.margin
	k.end, k.until = m.endOf(p), m.mono+p.Hold+m.rules.outage
	return nil
}

// decidePrepare accepts a packet (done), refuses it (err), or lets it wait.
func (m *machine) decidePrepare(k *packet) (done bool, err error) {
	if m.clock >= k.packet.Expiry.UnixNano() {
		return false, transfers.ErrHoldTooShort
	}
	receiver := m.peerOf(k.packet.To)
	for _, p := range []*peer{k.sender, receiver} {
		if p != nil && p.known && p.refusal != nil {
			return false, p.refusal
		}
	}
	if s := k.sender; s != nil && s.known && s.debtor && !m.rules.allowArrears {
		return false, transfers.ErrInArrears
	}
	isReady := true
	for _, p := range []*peer{k.sender, receiver} {
		if p != nil && !p.known {
			isReady = false
			m.want(p)
		}
	}
	if s := k.sender; s != nil && (!isReady || k.flows.charge > s.free(k.until) || len(s.waiting) > 0 && s.waiting[0] != k) {
		m.waitFor(s, k)
		return false, nil
	}
	if !isReady { // a packet from ourselves waits at its receiver
		m.waitFor(receiver, k)
		return false, nil
	}
	if k.sender != nil {
		k.sender.held += k.flows.charge
	}
	k.state = stateOpen
	return true, nil
}

// waitFor lets a prepare wait at a peer, once.
func (m *machine) waitFor(p *peer, k *packet) {
	for _, other := range p.waiting {
		if other == k {
			return
		}
	}
	p.waiting = append(p.waiting, k)
	m.want(p)
}

// want asks for a look-up of the peer.
func (m *machine) want(p *peer) {
	if !p.wanted {
		p.wanted = true
		m.wants = append(m.wants, p)
	}
}

// settleWaiting decides the prepares that wait at a peer, in order, after a look-up or a top-up.
// isFinal refuses those that the peer's headroom does not cover.
func (m *machine) settleWaiting(p *peer, isFinal bool) {
	for len(p.waiting) > 0 {
		k := p.waiting[0]
		done, err := m.decidePrepare(k)
		if !done && err == nil {
			if !isFinal {
				return
			}
			if !m.isKnown(k) {
				m.want(p) // once more, behind the other peer
				return
			}
			err = transfers.ErrCreditLine
		}
		if err != nil {
			m.refuseWaiting(k, err)
			continue
		}
		p.waiting = p.waiting[1:]
		m.remember(k)
		m.answerQueue(k, nil)
	}
}

func (m *machine) isKnown(k *packet) bool {
	receiver := m.peerOf(k.packet.To)
	return (k.sender == nil || k.sender.known) && (receiver == nil || receiver.known)
}

// refuseWaiting refuses a waiting prepare.
func (m *machine) refuseWaiting(k *packet, err error) {
	if k.sender != nil {
		k.sender.dropWaiting(k)
	} else if p := m.peerOf(k.packet.To); p != nil {
		p.dropWaiting(k)
	}
	m.forget(k)
	m.answerQueue(k, err)
}

func (p *peer) dropWaiting(k *packet) {
	for i := range p.waiting {
		if p.waiting[i] == k {
			p.waiting = append(p.waiting[:i:i], p.waiting[i+1:]...)
			return
		}
	}
}

// answerQueue answers the operations behind a decided prepare, in order.
func (m *machine) answerQueue(k *packet, err error) {
	queue := k.queue
	k.queue = nil
	for i := range queue {
		q := &queue[i]
		var r reply
		switch {
		case err != nil && q.op.Kind == transfers.KindPrepare:
			r = refuse(&q.op, err)
		case i == 0:
			r = accept(&q.op, k, ledger.OutcomeApplied)
		default:
			var pending bool
			if r, pending = m.submit(moment{m.wall, m.mono}, &q.op, q.token); pending {
				continue
			}
		}
		m.decided = append(m.decided, decision{q.token, r})
	}
}

// fulfill books a packet. A packet without a hold, as after a restart, is booked by its own fields.
func (m *machine) fulfill(k *packet, op *transfers.Op) reply {
	end := m.holdEnd(k, &op.Packet)
	if m.beyondHorizon(end) {
		return refuse(op, ErrTooLate)
	}
	switch {
	case k == nil:
		k = &packet{packet: op.Packet, state: stateExpired, end: end, sender: m.peerOf(op.Packet.From), index: -1}
		var err error
		if k.flows, err = m.flows(&op.Packet); err != nil {
			return refuse(op, err)
		}
		m.remember(k)
	case k.state == stateFulfilled:
		return accept(op, k, ledger.OutcomeAlreadyApplied)
	case k.state == stateRejected:
		return refuseConflict(op, k)
	}
	late := k.state == stateExpired && k.sender != nil && k.flows.charge > k.sender.free(m.mono)
	if k.state == stateOpen {
		k.sender.release(k.flows.charge)
	}
	m.bookFulfill(k)
	k.record = m.appendRecord(recordFulfill, appendResolved(nil, k.number, m.clock, &k.packet))
	m.remember(k)
	r := accept(op, k, ledger.OutcomeApplied)
	r.result.Late, r.result.ShortfallUnknown = late, late
	return r
}

// bookFulfill adds a fulfilled packet to the sums of the next round.
func (m *machine) bookFulfill(k *packet) {
	k.state = stateFulfilled
	if k.flows.isEmpty() {
		return
	}
	m.fulfills++
	k.number = m.fulfills
	m.addToTally(k)
}

// addToTally adds a numbered packet to the last tally, or to a new one if a round is full.
func (m *machine) addToTally(k *packet) {
	last := len(m.tallies) - 1
	if last < 0 || m.tallies[last].maxLegs()+mostLegsAdded > m.rules.maxLegs {
		m.tallies = append(m.tallies, newTally())
		last++
	}
	m.tallies[last].addPacket(k.sender, &k.flows, k.packet.ID, k.number)
	if s := k.sender; s != nil {
		s.used, _ = s.used.Add(ledger.NewAmount(k.flows.charge))
		used, fits := s.used.Uint64()
		if !fits || used > s.reservedInAll()/2 {
			m.cutNow = true // so that the reservation is renewed before it is used up
		}
		if !fits || used > s.reservedInAll() {
			m.want(s) // the headroom may cover it
		}
	}
}

// reject ends a hold. A reject of an unknown packet is noted too: its prepare may have been
// forgotten in a restart.
func (m *machine) reject(k *packet, op *transfers.Op) reply {
	end := m.holdEnd(k, &op.Packet)
	if m.beyondHorizon(end) {
		return refuse(op, ErrTooLate)
	}
	switch {
	case k == nil:
		k = &packet{packet: op.Packet, end: end, index: -1, state: stateRejected}
	case k.state == stateRejected:
		return accept(op, k, ledger.OutcomeAlreadyApplied)
	case k.state == stateFulfilled:
		return refuseConflict(op, k)
	case k.state == stateOpen:
		k.sender.release(k.flows.charge)
	}
	k.state = stateRejected
	k.record = m.appendRecord(recordReject, appendResolved(nil, 0, m.clock, &k.packet))
	m.remember(k)
	return accept(op, k, ledger.OutcomeApplied)
}

// stop ends the machine after a fault that it cannot explain. What is journaled stays there.
func (m *machine) stop(err error) {
	m.stopped = cmp.Or(m.stopped, fmt.Errorf("%w: %w", ErrStopped, err))
	for _, p := range m.peers {
		for len(p.waiting) > 0 {
			m.refuseWaiting(p.waiting[0], m.stopped)
		}
	}
}
