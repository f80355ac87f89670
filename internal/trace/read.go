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

// maxLineBytes is the length of the longest line accepted, with its line end. The largest packet
// takes less than a tenth of it.
const maxLineBytes = 1 << 20

// newestFormat is the newest trace format that [Read] accepts. A trace without a format is of
// format 1.
const newestFormat = 1

// byteOrderMark may start the file; some editors write it.
const byteOrderMark = "\ufeff"

// Read reads a whole trace. name is the file name for errors. Read returns either a trace or an
// error. Every error is a *[LineError], which wraps the errors of r.
func Read(r io.Reader, name string) (*Trace, error) {
	p := parser{
		trace:     &Trace{Name: name},
		peers:     map[string]*Peer{},
		exchanges: map[uint64]*exchange{},
		hasFinal:  map[string]bool{},
	}
	if line, err := p.readTrace(bufio.NewReaderSize(r, maxLineBytes)); err != nil {
		return nil, &LineError{File: name, Line: line, Err: err}
	}
	return p.trace, nil
}

// parser holds the trace read so far.
type parser struct {
	trace     *Trace
	peers     map[string]*Peer // of trace.Peers, by id
	exchanges map[uint64]*exchange
	hasFinal  map[string]bool // peers with a balance line
	now       time.Duration   // time of the previous line
}

// readTrace returns an error and the number of its line.
func (p *parser) readTrace(r *bufio.Reader) (int, error) {
	for n := 1; ; n++ {
		text, readErr := r.ReadSlice('\n')
		if n == 1 {
			text = bytes.TrimPrefix(text, []byte(byteOrderMark))
		}
		switch {
		case errors.Is(readErr, bufio.ErrBufferFull):
			return n, fmt.Errorf("a line of more than %d bytes", maxLineBytes)
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

// record is one line. Each event checks its own fields.
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
		return errors.New("format is allowed only on the first line")
	case *rec.Format > newestFormat:
		return fmt.Errorf("trace of format %d, this program reads up to %d", *rec.Format, newestFormat)
	case *rec.Format == 0:
		return errors.New("format 0: formats start at 1")
	}
	if err := p.advanceClock(rec.MS); err != nil {
		return err
	}
	if (n == 1) != (rec.Ev == "config") {
		return fmt.Errorf("ev %q: the first line, and no other, is the config", rec.Ev)
	}
	if len(p.hasFinal) > 0 && rec.Ev != "balance" {
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
		return p.parseOutReply(at, rec)
	case "in_reply":
		return p.parseInReply(rec)
	case "settle_out", "settle_in":
		return p.parseSettlement(at, rec)
	case "balance":
		return p.parseBalance(rec)
	default:
		return fmt.Errorf("ev %q is not an event of a trace", rec.Ev)
	}
}

// advanceClock sets the clock to ms.
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
	if p.hasFinal[peer.ID] {
		return fmt.Errorf("a second balance line of peer %q", peer.ID)
	}
	p.hasFinal[peer.ID] = true
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

// finishTrace checks that the trace is complete. next is the number of the line after the last.
func (p *parser) finishTrace(next int) (int, error) {
	if next == 1 {
		return next, errors.New("the trace is empty: the config line is missing")
	}
	var missing []string
	for _, peer := range p.trace.Peers {
		if !p.hasFinal[peer.ID] {
			missing = append(missing, peer.ID)
		}
	}
	if len(missing) > 0 {
		return next, fmt.Errorf("the trace ends without the balance line of %s", strings.Join(missing, ", "))
	}
	return p.findUnanswered()
}
