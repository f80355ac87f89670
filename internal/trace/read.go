package trace

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// maxLine is the longest line that is read, with its line end. The largest packet
// takes less than a tenth of it.
const maxLine = 1 << 20

// format is the newest format of traces that is read. A trace that does not say is of format 1.
const format = 1

// byteOrderMark may stand at the beginning; editors put it there.
const byteOrderMark = "\ufeff"

// Read reads a whole trace; name is for its errors. Every error is a *LineError,
// also one of r, which it wraps. There is either a trace or an error.
func Read(r io.Reader, name string) (*Trace, error) {
	p := parser{
		trace:     &Trace{Name: name},
		peers:     map[string]*Peer{},
		exchanges: map[uint64]*exchange{},
		finals:    map[string]bool{},
	}
	if line, err := p.readTrace(bufio.NewReaderSize(r, maxLine)); err != nil {
		return nil, &LineError{File: name, Line: line, Err: err}
	}
	return p.trace, nil
}

// parser is the trace so far.
type parser struct {
	trace     *Trace
	peers     map[string]*Peer // of trace.Peers, by id
	exchanges map[uint64]*exchange
	finals    map[string]bool // peers whose balance line was read
	now       time.Duration   // of the line before
}

// readTrace returns the number of the line that the error is about.
func (p *parser) readTrace(r *bufio.Reader) (int, error) {
	for n := 1; ; n++ {
		text, readErr := r.ReadSlice('\n')
		if n == 1 {
			text = bytes.TrimPrefix(text, []byte(byteOrderMark))
		}
		switch {
		case errors.Is(readErr, bufio.ErrBufferFull):
			return n, fmt.Errorf("a line of more than %d bytes", maxLine)
		case readErr != nil && !errors.Is(readErr, io.EOF):
			return n, fmt.Errorf("reading: %w", readErr)
		case readErr != nil && len(text) == 0:
			return p.finishTrace(n)
		}
		if err := p.parseLine(n, text); err != nil {
			return n, err
		}
		if readErr != nil { // the last line has no line end
			return p.finishTrace(n + 1)
		}
	}
}

// record is one line. What an event needs of it is checked where it is used.
type record struct {
	Format  *uint64               `json:"format"`
	MS      *uint64               `json:"ms"`
	Ev      string                `json:"ev"`
	ID      *uint64               `json:"id"`
	Peer    string                `json:"peer"`
	Packet  *string               `json:"packet"`
	Amount  string                `json:"amount"`
	Balance string                `json:"balance"`
	Peers   map[string]peerRecord `json:"peers"`
}

func (p *parser) parseLine(n int, text []byte) error {
	var rec record
	if err := json.Unmarshal(text, &rec); err != nil {
		return fmt.Errorf("not a JSON object of a trace: %w", err)
	}
	switch {
	case rec.Format == nil:
	case n != 1:
		return errors.New("format: the first line, and no other, says it")
	case *rec.Format > format:
		return fmt.Errorf("trace of format %d, this program reads up to %d", *rec.Format, format)
	case *rec.Format == 0:
		return errors.New("format 0: the first one is 1")
	}
	if err := p.advanceClock(rec.MS); err != nil {
		return err
	}
	if (n == 1) != (rec.Ev == "config") {
		return fmt.Errorf("ev %q: the first line, and no other, is the config", rec.Ev)
	}
	if len(p.finals) > 0 && rec.Ev != "balance" {
		return fmt.Errorf("ev %q after a balance line", rec.Ev)
	}
	return p.addEvent(Origin{Line: n, At: p.now}, rec)
}

func (p *parser) addEvent(at Origin, rec record) error {
	switch rec.Ev {
	case "config":
		return p.parseConfig(rec.Peers)
	case "in":
		return p.parseIncoming(at, rec)
	case "out":
		return p.parseOutgoing(at, rec)
	case "out_reply":
		return p.outReply(at, rec)
	case "in_reply":
		return p.inReply(rec)
	case "settle_out", "settle_in":
		return p.parseSettlement(at, rec)
	case "balance":
		return p.parseBalance(rec)
	default:
		return fmt.Errorf("ev %q is not an event of a trace", rec.Ev)
	}
}

// advanceClock moves the clock to ms.
func (p *parser) advanceClock(ms *uint64) error {
	if ms == nil {
		return errors.New("ms is missing")
	}
	if *ms > math.MaxInt64/uint64(time.Millisecond) {
		return fmt.Errorf("ms %d is out of range", *ms)
	}
	now := time.Duration(*ms) * time.Millisecond
	if now < p.now {
		return fmt.Errorf("ms %d is before the line above it, %d", *ms, p.now.Milliseconds())
	}
	p.now = now
	return nil
}

func (p *parser) parseSettlement(at Origin, rec record) error {
	peer, err := p.parsePeer(rec.Peer)
	if err != nil {
		return err
	}
	amount, err := ledger.ParseAmount(rec.Amount)
	if err != nil {
		return err
	}
	if rec.Ev == "settle_out" {
		p.trace.Events = append(p.trace.Events, &SettleOut{Origin: at, Peer: peer.ID, Amount: amount})
	} else {
		p.trace.Events = append(p.trace.Events, &SettleIn{Origin: at, Peer: peer.ID, Amount: amount})
	}
	return nil
}

func (p *parser) parseBalance(rec record) error {
	peer, err := p.parsePeer(rec.Peer)
	if err != nil {
		return err
	}
	if p.finals[peer.ID] {
		return fmt.Errorf("a second balance line of peer %q", peer.ID)
	}
	p.finals[peer.ID] = true
	if peer.Final, err = parsePosition(rec.Balance); err != nil {
		return fmt.Errorf("balance: %w", err)
	}
	return nil
}

func (p *parser) parsePeer(id string) (*Peer, error) {
	peer, ok := p.peers[id]
	if !ok {
		return nil, fmt.Errorf("peer %q is not in the config line", id)
	}
	return peer, nil
}

// finishTrace looks for what a trace that was cut between two lines lacks. next is the
// number of the line that would be next.
func (p *parser) finishTrace(next int) (int, error) {
	if next == 1 {
		return next, errors.New("the trace is empty: the config line is missing")
	}
	var missing []string
	for _, peer := range p.trace.Peers {
		if !p.finals[peer.ID] {
			missing = append(missing, peer.ID)
		}
	}
	if len(missing) > 0 {
		return next, fmt.Errorf("the trace ends without the balance line of %s", strings.Join(missing, ", "))
	}
	return p.firstUnanswered()
}
