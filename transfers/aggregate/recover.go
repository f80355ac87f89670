package aggregate

import (
	"fmt"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/packetlog"
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

// replayer gives a machine the records of a journal.
type replayer struct {
	machine   *machine
	namespace string
	account   func(ledgerNumber uint32, peer string) (accounts.PeerAccount, error)

	ownerRead bool
	archives  []neededArchive // of a checkpoint
	decoder   packetlog.Decoder
	attempt   *round     // not known to be applied
	unbooked  []unbooked // fulfills behind the newest attempt, in order
	attempted []unbooked // of the newest attempt, as far as the log has them
	tallies   []*tally   // of a checkpoint, behind the newest attempt
	archived  map[packetlog.Party]*peer
}

// unbooked is a fulfill that no attempt of a round has.
type unbooked struct {
	number           uint64
	sender, receiver *peer
	packet           transfers.Packet // id and amounts
}

// addRecord reads a record. The error matches [transfers.ErrJournalForeign].
func (r *replayer) addRecord(kind uint8, data []byte) error {
	m, read := r.machine, &recordReader{rest: data, account: r.account}
	switch {
	case kind == packetlog.KindOwner:
		r.ownerRead, m.rules.journal = true, read.readU64()
		if namespace := string(read.rest); read.err == nil && namespace != r.namespace {
			return fmt.Errorf("%w: journal of namespace %q, want %q", transfers.ErrJournalForeign, namespace, r.namespace)
		}
		return read.err
	case !r.ownerRead:
		return fmt.Errorf("%w: a record of kind %d before its owner's", transfers.ErrJournalForeign, kind)
	}
	switch kind {
	case packetlog.KindParty:
		return r.addParty(data)
	case packetlog.KindFulfill, packetlog.KindReject:
		return r.addPacket(data)
	case packetlog.KindAttempt:
		r.addAttempt(read.readRound(m.rules.journal))
	case packetlog.KindApplied:
		applied, err := packetlog.ReadRound(data)
		if err != nil {
			return fmt.Errorf("%w: %w", transfers.ErrJournalForeign, err)
		}
		if a := r.attempt; a != nil && a.number == applied.Number {
			m.number, m.through, r.attempt = a.number, a.through, nil
		}
		return nil
	case packetlog.KindState:
		m.clock = max(m.clock, int64(read.readU64()))
		m.number, m.through, m.fulfills = read.readU64(), read.readU64(), read.readU64()
	case packetlog.KindArchives:
		for read.err == nil && len(read.rest) > 0 {
			r.archives = append(r.archives, neededArchive{read.readU64(), int64(read.readU64())})
		}
	case packetlog.KindTally:
		r.tallies = append(r.tallies, m.readTally(read))
	default:
		return fmt.Errorf("%w: a record of kind %d", transfers.ErrJournalForeign, kind)
	}
	return read.finish()
}

// addParty reads the index of a peer. A checkpoint has each index again.
func (r *replayer) addParty(data []byte) error {
	if err := r.decoder.AddParty(data); err != nil {
		return fmt.Errorf("%w: %w", transfers.ErrJournalForeign, err)
	}
	parties := r.decoder.Parties()
	for len(r.machine.logged) < len(parties) {
		p, err := r.findPeer(parties[len(r.machine.logged)])
		if err != nil {
			return err
		}
		r.machine.logPeer(p)
	}
	return nil
}

func (r *replayer) findPeer(party packetlog.Party) (*peer, error) {
	a, err := r.account(party.Ledger, party.Peer)
	if err != nil {
		return nil, err
	}
	p, err := r.machine.peerOf(a)
	if err == nil {
		p.adopting = true
	}
	return p, err
}

// addPacket remembers a resolved packet. A fulfill that no round has is booked by the next.
func (r *replayer) addPacket(data []byte) error {
	p, from, to, err := r.decoder.ReadPacket(data)
	if err != nil {
		return fmt.Errorf("%w: %w", transfers.ErrJournalForeign, err)
	}
	m := r.machine
	m.clock, m.fulfills = max(m.clock, p.ResolvedAt), max(m.fulfills, p.Number)
	sender, receiver := m.logged[from], m.logged[to]
	packet := m.restorePacket(&p, sender, receiver)
	if !p.IsRejected() {
		r.unbooked = append(r.unbooked, unbooked{p.Number, sender, receiver, packet})
	}
	return nil
}

// addAttempt takes the fulfills of an attempt out of those that no round has.
func (r *replayer) addAttempt(a *round) {
	if r.attempt == nil || r.attempt.number != a.number {
		r.attempted = nil
	}
	r.attempt = a
	n := 0
	for n < len(r.unbooked) && r.unbooked[n].number <= a.through {
		n++
	}
	r.attempted, r.unbooked = append(r.attempted, r.unbooked[:n]...), r.unbooked[n:]
	for len(r.tallies) > 0 && r.tallies[0].through <= a.through {
		r.tallies = r.tallies[1:]
	}
}

// addArchived remembers a packet of the archive.
func (r *replayer) addArchived(p *packetlog.Packet) error {
	sender, err := r.archivedPeer(p.From)
	if err != nil {
		return err
	}
	receiver, err := r.archivedPeer(p.To)
	if err != nil {
		return err
	}
	r.machine.clock = max(r.machine.clock, p.ResolvedAt)
	r.machine.restorePacket(p, sender, receiver)
	return nil
}

func (r *replayer) archivedPeer(party packetlog.Party) (*peer, error) {
	if p := r.archived[party]; p != nil {
		return p, nil
	}
	p, err := r.findPeer(party)
	if err != nil {
		return nil, err
	}
	if r.archived == nil {
		r.archived = map[packetlog.Party]*peer{}
	}
	r.archived[party] = p
	return p, nil
}

// restorePacket remembers a resolved packet from journal or archive.
func (m *machine) restorePacket(p *packetlog.Packet, sender, receiver *peer) transfers.Packet {
	packet := transfers.Packet{
		ID: p.ID, In: p.In, Out: p.Out, Dust: p.Dust, From: sender.account, To: receiver.account, Expiry: time.Unix(0, p.Expiry).UTC(),
	}
	state := stateFulfilled
	if p.IsRejected() {
		state = stateRejected
	}
	e := m.memory.find(p.ID)
	if e == nil {
		e = m.memory.insert(p.ID, m.forgetBefore())
	}
	e.seal = m.seal(&packet)
	e.setEnded(state, m.endOf(&packet))
	return packet
}

// restore lets a machine go on from the records of its journal.
func (r *replayer) restore() error {
	m := r.machine
	if a := r.attempt; a != nil {
		m.number = a.number
		m.round = &roundJob{round: a, stage: stageSend, data: appendRound(nil, a), report: reportReplayed(r.attempted)}
		for _, account := range a.accounts() {
			if _, err := m.peerOf(account); err != nil {
				return err
			}
		}
		m.round.legs, m.round.refs = a.buildLegs(m.book)
	}
	m.restoreLimits(r.attempt, r.tallies)
	m.tallies = r.tallies
	for _, t := range r.tallies {
		m.summed = t.through
		for _, c := range t.charges {
			c.peer.used, _ = c.peer.used.Add(c.amount)
		}
	}
	for i := range r.unbooked {
		u := &r.unbooked[i]
		flows, err := flowsOf(&u.packet, u.sender.asset.allowLoss)
		if err != nil {
			return fmt.Errorf("a fulfill in the journal cannot be booked with these assets: %w", err)
		}
		m.fulfillLimits(&u.packet, u.sender, u.receiver)
		if !flows.isEmpty() {
			m.sumPacket(&u.packet, &flows, u.sender, u.receiver, u.number)
			t := m.tallies[len(m.tallies)-1] // lastTally would begin another if this one is full
			t.replayed = append(t.replayed, u.result())
		}
	}
	m.recovery.stage = recoverCheck
	return nil
}

// To find an old journal, some attempts of some rounds are looked up: a round whose reservations were all
// gone has no legs, so the ledger has nothing of it.
const (
	attemptsChecked = 8
	roundsChecked   = 8
)

// checkRequest looks for the journal's last attempt, if its answer is missing, and for attempts and
// rounds behind it.
func (m *machine) checkRequest() *request {
	r := &request{kind: requestRecover}
	last := round{journal: m.rules.journal, number: m.number}
	if m.round != nil {
		last.attempt = m.round.round.attempt
		r.ids = append(r.ids, last.legID(m.book, 0))
	}
	r.ids = append(r.ids, last.laterIDs(m.book.Namespace(), m.round != nil)...)
	return r
}

// laterIDs returns the ids of the first legs of rounds behind r, and if r has no answer of its attempts
// behind r's.
func (r round) laterIDs(namespace string, isOpen bool) (ids []ledger.ID) {
	for range attemptsChecked {
		if r.attempt++; isOpen {
			ids = append(ids, r.legIDIn(namespace, 0))
		}
	}
	for range roundsChecked {
		r.number++
		for r.attempt = range uint32(attemptsChecked) {
			ids = append(ids, r.legIDIn(namespace, 0))
		}
	}
	return ids
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
		m.answerCheck(rows)
	}
}

// answerCheck takes the answer of the check. An attempt that the ledger has is not sent again: on a ledger
// that the rows were copied to, the answer would be a conflict, since the copies are marked as imported.
func (m *machine) answerCheck(rows []ledger.Transfer) {
	m.recovery.stage = recoverAdopt
	var found *ledger.Transfer // of the last attempt
	for i := range rows {
		if m.round == nil || len(m.round.legs) == 0 || rows[i].ID != m.round.legs[0].ID {
			m.stop(ErrOldJournal)
			return
		}
		found = &rows[i]
	}
	if found != nil && found.UserData128 == m.round.legs[0].UserData128 { // else the ledger answers a conflict
		m.finishRound(found.Timestamp)
	}
}

// adoptReservations takes over the reservations that an earlier process left. The first round
// posts those of senders with fulfills in the journal. The others are voided.
func (m *machine) adoptReservations(rows []ledger.Transfer) {
	for _, p := range m.peers {
		p.adopting = false
	}
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

// checkpoint passes the records of the machine's state to add: a machine restored from them, with
// the packets of the archive, is the same as one restored from all records so far.
func (m *machine) checkpoint(add func(kind uint8, data []byte)) {
	number := m.number
	if m.round != nil {
		number--
	}
	add(packetlog.KindOwner, encodeOwner(m.rules.journal, m.book.Namespace()))
	add(packetlog.KindState, appendState(nil, m.clock, number, m.through, m.fulfills))
	for _, p := range m.logged {
		add(packetlog.KindParty, packetlog.AppendParty(nil, p.logIndex, p.logParty()))
	}
	if m.round != nil {
		add(packetlog.KindAttempt, m.round.data)
	}
	for _, t := range m.tallies {
		add(packetlog.KindTally, appendTally(nil, t))
	}
}
