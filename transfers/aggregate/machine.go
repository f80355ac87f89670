package aggregate

import (
	"cmp"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/packetlog"
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
	limiter *limiter         // nil without limits

	wall  int64         // the wall clock, ns since the Unix epoch
	clock int64         // the highest wall clock seen
	mono  time.Duration // the monotonic clock

	assets  map[uint32]*asset
	peers   []*peer // by index
	logged  []*peer // by index in the journal
	byID    peerTable
	memory  memory // of packets within their horizons
	held    heldPackets
	waiting map[uint32]*waitingPacket // by index of the heldPacket
	tallies []*tally                  // fulfills that no round has; the last one grows
	serial  uint64                    // of the last tally
	decided []decision

	records  uint64 // appended to the journal by this machine
	synced   uint64 // of them on disk
	fulfills uint64 // number of the last fulfill
	summed   uint64 // number of the last fulfill in a tally

	number  uint64 // of the last round
	through uint64 // number of the last fulfill in an applied round
	round   *roundJob
	cutAt   time.Duration // of the last round
	cutNow  bool          // cut as soon as no round is under way
	flushTo uint64        // number of the last fulfill to write without waiting for the interval

	wants     []*peer     // to look up, and to top up if packets wait or reservations are short
	polls     []*peer     // to look up again, behind those
	lookedUp  []*peer     // of the look-up under way
	topUps    []topUp     // to send next
	holdBacks []*holdBack // not ended
	renewals  []*peer     // whose reservations the next round renews
	inFlight  *request    // waits for its answer
	isTimed   bool        // the shell waits no longer than the round interval
	yield     bool        // a round goes ahead of the next look-up
	polledAt  time.Duration
	sweptAt   time.Duration
	recovery  recovery
	closing   bool
	stopped   error
	applied   []appliedRound // for the shell's events; it takes them
	scratch   []byte         // for the record of a packet
	counts    counts
}

// rules are the settings of a machine.
type rules struct {
	journal      uint64        // the journal's number
	seed         [2]uint64     // of the memory's hashes
	timeout      uint32        // of reservations, seconds
	margin       time.Duration // from a packet's expiry to the end of its hold
	minHold      time.Duration // least time to the expiry of a new packet
	maxHold      time.Duration // longest time to the expiry of a new packet
	outage       time.Duration // the longest outage of the ledger to survive, with the round interval
	horizon      time.Duration // from the end of a hold until the packet is forgotten
	interval     time.Duration // between rounds
	poll         time.Duration // between looks at all peers
	sharePercent uint64        // of a headroom, the most that reservations take
	maxLegs      int           // of a request
	allowArrears bool
	guard        accounts.ConversionGuard
}

// renewAfter returns the age at which a reservation is renewed: half of the age at which it no
// longer outlives the longest packets, so that a round in good time renews it.
func (r *rules) renewAfter() time.Duration {
	return (time.Duration(r.timeout)*time.Second - r.maxHold - r.margin - r.outage) / 2
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

// decision is the reply to an operation that had to wait, for the caller with the token.
type decision struct {
	token any
	op    *transfers.Op // as decided
	reply reply
}

// reply is the answer to an operation. The caller gets the result when the record is on disk. The machine
// completes the packet in the operation itself, so that a reply is small.
type reply struct {
	outcome ledger.Outcome
	late    bool
	err     error
	record  uint64 // 0: needs no record
}

// result returns the result of an operation, with its packet as the machine completed it.
func (r *reply) result(op *transfers.Op) transfers.Result {
	return transfers.Result{Kind: op.Kind, Packet: op.Packet, Outcome: r.outcome, Late: r.late, ShortfallUnknown: r.late, Err: r.err}
}

func newMachine(book *accounts.Book, r rules, journal recordWriter, newID func() ledger.ID, now moment) *machine {
	m := &machine{
		rules: r, book: book, journal: journal, newID: newID, limiter: newLimiter(book), wall: now.wall, clock: now.wall, mono: now.mono,
		assets: map[uint32]*asset{}, memory: newMemory(r.seed), waiting: map[uint32]*waitingPacket{},
	}
	m.held = newHeldPackets(r.maxHold+r.margin, now.wall)
	return m
}

// appendRecord appends a record to the journal and returns its number.
func (m *machine) appendRecord(kind uint8, data []byte) uint64 {
	m.journal.appendRecord(kind, data)
	m.records++
	return m.records
}

// markSynced notes that the first n records of this machine are on disk.
func (m *machine) markSynced(n uint64) { m.synced = max(m.synced, n) }

// submit takes an operation, and completes its packet. If it returns a queued operation, the reply comes
// later as a decision with the token that the caller gives it.
func (m *machine) submit(now moment, op *transfers.Op) (r reply, later *queued) {
	m.observe(now)
	if err := m.checkOp(op); err != nil {
		return refuse(op, err), nil
	}
	seal, end := m.seal(&op.Packet), m.endOf(&op.Packet)
	e := m.memory.find(op.Packet.ID)
	if e != nil && e.isBeyond(m.forgetBefore()) {
		m.memory.remove(op.Packet.ID)
		e = nil
	}
	if m.limiter != nil && op.Kind == transfers.KindPrepare && (e == nil || e.seal != seal) {
		m.cutExpiry(&op.Packet, e)
		seal = m.seal(&op.Packet)
	}
	switch {
	case e != nil && e.seal != seal:
		return refuse(op, fmt.Errorf("%w: packet %v has other amounts or peers", ledger.ErrIDConflict, op.Packet.ID)), nil
	case m.beyondHorizon(end) && op.Kind != transfers.KindPrepare:
		return refuse(op, ErrTooLate), nil
	case e != nil && e.kind() == stateHeld && m.held.at(e.open()).waiting:
		w := m.waiting[e.open()]
		later = &queued{op: *op}
		w.queue = append(w.queue, later)
		return reply{}, later
	}
	sender, receiver, err := m.parties(e, &op.Packet)
	switch {
	case err != nil:
		return refuse(op, err), nil
	case op.Kind == transfers.KindPrepare:
		return m.prepare(e, op, sender, receiver, seal)
	case op.Kind == transfers.KindReject:
		return m.reject(e, op, sender, receiver, seal, end), nil
	default:
		return m.fulfill(e, op, sender, receiver, seal, end), nil
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
	const first, last = 0, 7_258_118_400 // 1970 and 2200: nanoseconds since 1970 fit 64 bits until 2262
	if s := op.Packet.Expiry.Unix(); s < first || s >= last {
		return &transfers.PacketError{Kind: op.Kind, ID: op.Packet.ID, Field: "Expiry", Reason: "is missing, or not between 1970 and 2200"}
	}
	return nil
}

// parties returns sender and receiver of a packet. A held packet with the same seal has them already.
// The error matches [accounts.ErrUnknownAsset].
func (m *machine) parties(e *memoryEntry, p *transfers.Packet) (sender, receiver *peer, err error) {
	if e != nil && e.kind() == stateHeld {
		k := m.held.at(e.open())
		return m.peers[k.sender], m.peers[k.receiver], nil
	}
	if sender, err = m.peerOf(p.From); err != nil {
		return nil, nil, err
	}
	receiver, err = m.peerOf(p.To)
	return sender, receiver, err
}

// seal returns a hash of the fields that make a packet: those that a repeat must have too.
func (m *machine) seal(p *transfers.Packet) uint64 {
	s, from, to := &m.rules.seed, p.From.ID(), p.To.ID()
	amounts := mixWords(p.In^s[0], p.Out^s[1])
	rest := mixWords(p.Dust^s[0]^firstOdd, uint64(p.Expiry.UnixNano())^s[1])
	sender := mixWords(from.Lo^s[0]^secondOdd, from.Hi^s[1])
	receiver := mixWords(to.Lo^s[0], to.Hi^s[1]^firstOdd)
	return mixWords(mixWords(amounts^s[0], rest^secondOdd)^sender, mixWords(receiver^s[1], firstOdd))
}

func refuse(op *transfers.Op, err error) reply {
	return reply{outcome: ledger.OutcomeRefused, err: fmt.Errorf("%v of packet %v: %w", op.Kind, op.Packet.ID, err)}
}

// accept answers an operation when a record is on disk.
func accept(record uint64, outcome ledger.Outcome) reply {
	return reply{outcome: outcome, record: record}
}

// refuseConflict refuses the fulfill of a rejected packet, or the reject of a fulfilled one. The
// answer rests on the record of the first, which is one of those so far.
func (m *machine) refuseConflict(op *transfers.Op) reply {
	r := refuse(op, transfers.ErrPacketConflict)
	r.record = m.records
	return r
}

// acceptAgain answers a repeat when the record of the first is on disk.
func (m *machine) acceptAgain() reply {
	return accept(m.records, ledger.OutcomeAlreadyApplied)
}

// observe moves the clocks on: holds end. The horizon's clock never goes back.
func (m *machine) observe(now moment) {
	m.mono = max(m.mono, now.mono)
	m.wall = now.wall
	m.clock = max(m.clock, now.wall)
	for {
		i, ended := m.held.firstEnded(m.clock)
		if !ended {
			return
		}
		if m.held.at(i).waiting {
			m.refuseWaiting(m.waiting[i], transfers.ErrHoldTooShort)
		} else {
			m.endHold(i)
		}
	}
}

// endHold gives the amount of a hold that has ended back to the reservation.
func (m *machine) endHold(i uint32) {
	k := *m.held.at(i)
	m.releaseHeld(i)
	m.memory.find(k.id).setEnded(stateExpired, k.end)
}

// beyondHorizon reports whether a hold that ended then is out of the machine's memory.
func (m *machine) beyondHorizon(end int64) bool { return m.clock > end+int64(m.rules.horizon) }

// forgetBefore is the moment before which ended holds are forgotten, ms since the Unix epoch.
func (m *machine) forgetBefore() int64 { return (m.clock - int64(m.rules.horizon)) / nanosPerMilli }

// endOf returns the end of a packet's hold.
func (m *machine) endOf(p *transfers.Packet) int64 {
	return p.Expiry.UnixNano() + int64(m.rules.margin)
}

// stop ends the machine after a fault that it cannot explain. What is journaled stays there.
func (m *machine) stop(err error) {
	m.stopped = cmp.Or(m.stopped, fmt.Errorf("%w: %w", ErrStopped, err))
	m.refuseAllWaiting(m.stopped)
}

// appendPacket journals a resolved packet.
func (m *machine) appendPacket(kind uint8, p *transfers.Packet, number uint64, sender, receiver *peer) uint64 {
	m.declare(sender)
	m.declare(receiver)
	resolved := packetlog.Packet{
		Number: number, ResolvedAt: m.clock, Expiry: p.Expiry.UnixNano(), ID: p.ID, In: p.In, Out: p.Out, Dust: p.Dust, Condition: p.Condition,
	}
	m.scratch = packetlog.AppendPacket(m.scratch[:0], &resolved, sender.logIndex, receiver.logIndex)
	return m.appendRecord(kind, m.scratch)
}

// declare journals a peer's index, before the first record with it.
func (m *machine) declare(p *peer) {
	if !p.isLogged {
		m.logPeer(p)
		m.appendRecord(packetlog.KindParty, packetlog.AppendParty(nil, p.logIndex, p.logParty()))
	}
}

// logPeer gives a peer the next index in the journal.
func (m *machine) logPeer(p *peer) {
	p.isLogged, p.logIndex = true, uint32(len(m.logged))
	m.logged = append(m.logged, p)
}

func (p *peer) logParty() packetlog.Party {
	return packetlog.Party{Ledger: p.account.Ledger(), Peer: p.account.Peer()}
}
