package aggregate

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// recoveryStage is the next step of a machine that goes on from a journal. Between the first two
// steps, the round under way is sent again.
type recoveryStage uint8

const (
	recoverDone    recoveryStage = iota
	recoverCheck                 // does the ledger have later rounds than the journal?
	recoverAdopt                 // which reservations did the earlier process leave?
	recoverRelease               // void those that no fulfill needs
)

// recovery is the state of a recovery.
type recovery struct {
	stage  recoveryStage
	unused []voidedHold
}

// isReady reports whether the machine takes operations.
func (m *machine) isReady() bool { return m.recovery.stage == recoverDone }

// replayer builds a machine from the records of a journal.
type replayer struct {
	namespace string
	account   func(ledgerNumber uint32, peer string) (accounts.PeerAccount, error)

	journal   uint64 // the journal's number
	ownerRead bool
	clock     int64
	number    uint64 // of the last applied round
	through   uint64
	fulfills  uint64
	resolved  []resolvedRecord
	attempt   *round // not known to be applied
}

type resolvedRecord struct {
	resolved
	kind uint8
}

// addRecord reads a record. The error matches [transfers.ErrJournalForeign].
func (r *replayer) addRecord(kind uint8, data []byte) error {
	read := &recordReader{rest: data, account: r.account}
	switch {
	case kind == recordOwner:
		r.ownerRead, r.journal = true, read.readU64()
		if namespace := string(read.rest); read.err == nil && namespace != r.namespace {
			return fmt.Errorf("%w: journal of namespace %q, want %q", transfers.ErrJournalForeign, namespace, r.namespace)
		}
		return read.err
	case !r.ownerRead:
		return fmt.Errorf("%w: a record of kind %d before its owner's", transfers.ErrJournalForeign, kind)
	case kind == recordFulfill || kind == recordReject:
		f := read.readResolved()
		r.clock, r.fulfills = max(r.clock, f.clock), max(r.fulfills, f.number)
		r.resolved = append(r.resolved, resolvedRecord{f, kind})
	case kind == recordAttempt:
		r.attempt = read.readRound(r.journal)
	case kind == recordApplied:
		n := read.readU64()
		if a := r.attempt; a != nil && a.number == n {
			r.number, r.through, r.attempt = n, a.through, nil
		}
	case kind == recordState:
		r.clock = max(r.clock, int64(read.readU64()))
		r.number, r.through, r.fulfills = read.readU64(), read.readU64(), read.readU64()
	default:
		return fmt.Errorf("%w: a record of kind %d", transfers.ErrJournalForeign, kind)
	}
	return read.finish()
}

// restore gives the state of the journal to a new machine.
func (m *machine) restore(r *replayer) error {
	m.clock, m.number, m.through, m.fulfills = r.clock, r.number, r.through, r.fulfills
	inRounds := r.through
	if r.attempt != nil {
		m.number, inRounds = r.attempt.number, r.attempt.through
		m.round = &roundJob{round: r.attempt, stage: stageSend, data: appendRound(nil, r.attempt)}
		m.round.legs, m.round.refs = r.attempt.buildLegs(m.book)
	}
	for i := range r.resolved {
		if err := m.restorePacket(&r.resolved[i], inRounds); err != nil {
			return err
		}
	}
	m.recovery.stage = recoverCheck
	return nil
}

// restorePacket remembers a resolved packet. A fulfill that no round has is booked by the next.
func (m *machine) restorePacket(f *resolvedRecord, inRounds uint64) (err error) {
	k := &packet{packet: f.packet, number: f.number, end: m.endOf(&f.packet), state: stateRejected, index: -1}
	isUnbooked := f.kind == recordFulfill && f.number > inRounds
	if f.kind == recordFulfill {
		k.state = stateFulfilled
		k.sender = m.peerOf(f.packet.From)
		if k.flows, err = m.flows(&f.packet); err != nil {
			return fmt.Errorf("a fulfill in the journal cannot be booked with these assets: %w", err)
		}
	}
	if isUnbooked {
		m.addToTally(k)
	}
	if old := m.packets[f.packet.ID]; old == nil {
		m.packets[f.packet.ID] = k
		heap.Push(&m.timeline, k)
	}
	return nil
}

// attemptsChecked is how many attempts of a round are looked up to find an old journal.
const attemptsChecked = 8

// checkRequest looks for attempts and rounds behind the journal's last.
func (m *machine) checkRequest() *request {
	r := &request{kind: requestRecover}
	probe := round{journal: m.rules.journal, number: m.number + 1}
	if m.round != nil {
		later := round{journal: m.rules.journal, number: m.number, attempt: m.round.round.attempt}
		for range attemptsChecked {
			later.attempt++
			r.ids = append(r.ids, later.legID(m.book, 0))
		}
	}
	for range attemptsChecked {
		r.ids = append(r.ids, probe.legID(m.book, 0))
		probe.attempt++
	}
	return r
}

// recoveryRequest returns the request of the recovery's next step after the check.
func (m *machine) recoveryRequest() *request {
	if m.recovery.stage == recoverRelease {
		return &request{kind: requestRelease, transfers: m.voidTransfers(m.recovery.unused[:min(len(m.recovery.unused), m.rules.maxLegs)])}
	}
	const slack = time.Hour // between the ledger's clock and ours; older reservations have expired
	since := max(m.clock-int64(m.rules.timeout)*int64(time.Second)-int64(slack), 1)
	return &request{kind: requestAdopt, filter: ledger.QueryFilter{
		UserData64: m.rules.journal, Code: chart.CodeReserve, TimestampMin: uint64(since), Limit: ledger.QueryMax,
	}}
}

// answerRows takes the answer of a request that reads transfers.
func (m *machine) answerRows(now moment, rows []ledger.Transfer) {
	m.observe(now)
	kind := m.inFlight.kind
	m.inFlight = nil
	switch kind { //nolint:exhaustive // the others have other answers
	case requestHolds:
		m.dropExpired(rows)
	case requestAdopt:
		m.adoptReservations(rows)
	default:
		if m.recovery.stage = recoverAdopt; len(rows) > 0 {
			m.stop(ErrOldJournal)
		}
	}
}

// adoptReservations takes over the reservations that an earlier process left. The first round
// posts those of senders with fulfills in the journal. The others are voided.
func (m *machine) adoptReservations(rows []ledger.Transfer) {
	resolved := make(map[ledger.ID]bool)
	for i := range rows {
		resolved[rows[i].PendingID] = true
	}
	owners := make(map[ledger.ID]*peer)
	for _, p := range m.peers {
		owners[p.ids.Peer] = p
	}
	for i := range rows {
		row := &rows[i]
		if !row.Flags.Has(ledger.TransferPending) || resolved[row.ID] {
			continue
		}
		amount, _ := row.Amount.Uint64()
		h := hold{id: row.ID, amount: amount}
		if p := owners[row.DebitAccountID]; p != nil && !p.used.IsZero() && len(p.holds) < maxHolds {
			p.holds = append(p.holds, h) // endsAt 0: no new packet counts on it
		} else {
			m.recovery.unused = append(m.recovery.unused, voidedHold{hold: h})
		}
	}
	m.cutNow = len(m.tallies) > 0
	if m.recovery.stage = recoverDone; len(m.recovery.unused) > 0 {
		m.recovery.stage = recoverRelease
	}
}

// checkpoint passes the records of the machine's state to add: a machine restored from them is the
// same as one restored from all records so far.
func (m *machine) checkpoint(add func(kind uint8, data []byte) error) error {
	number := m.number
	if m.round != nil {
		number--
	}
	if err := add(recordOwner, encodeOwner(m.rules.journal, m.book.Namespace())); err != nil {
		return err
	}
	if err := add(recordState, appendState(nil, m.clock, number, m.through, m.fulfills)); err != nil {
		return err
	}
	for _, k := range m.resolvedPackets() {
		kind := recordReject
		if k.state == stateFulfilled {
			kind = recordFulfill
		}
		if err := add(kind, appendResolved(nil, k.number, m.clock, &k.packet)); err != nil {
			return err
		}
	}
	if m.round == nil {
		return nil
	}
	return add(recordAttempt, m.round.data)
}

// resolvedPackets returns the resolved packets, fulfills in the order of their numbers.
func (m *machine) resolvedPackets() []*packet {
	var packets []*packet
	for _, k := range m.packets {
		if k.state == stateFulfilled || k.state == stateRejected {
			packets = append(packets, k)
		}
	}
	slices.SortFunc(packets, func(a, b *packet) int {
		return cmp.Or(cmp.Compare(a.number, b.number), a.packet.ID.Compare(b.packet.ID))
	})
	return packets
}

// sortedPeers returns the peers in a fixed order.
func (m *machine) sortedPeers() []*peer {
	peers := make([]*peer, 0, len(m.peers))
	for _, p := range m.peers {
		peers = append(peers, p)
	}
	slices.SortFunc(peers, func(a, b *peer) int { return a.ids.Peer.Compare(b.ids.Peer) })
	return peers
}
