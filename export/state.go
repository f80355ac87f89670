package export

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/big"
	"slices"

	"github.com/peerledger/peerledger/ledger"
)

// ErrState is returned when the state file of a continued export cannot be used: it is damaged, or another
// export's. The files of the export are unchanged.
var ErrState = errors.New("export: the state file cannot be used")

// stateFormat is the version of the state file.
const stateFormat = 1

// state is the end of a part: the next part begins behind it.
type state struct {
	// Format is stateFormat.
	Format int `json:"peerledger_export"`
	// Export identifies the export: parts of another export never come into the folder.
	Export exportIdentity `json:"export"`
	Part   int            `json:"part"`     // the last part, from 1
	Last   uint64         `json:"last"`     // time of the last row that the parts have or may have
	Bounds []*big.Int     `json:"bounds"`   // of the assets, in the order of Export.Assets
	Count  int            `json:"accounts"` // lines with the sums of an account
	// accounts has each account that a part has had in its Header, also accounts that are not covered.
	accounts map[ledger.ID]accountEnd
}

// accountEnd is an account at the end of a part.
type accountEnd struct {
	sums

	peer string // as the parts have it in [Account].Peer
}

// exportIdentity is what all parts of an export have in common.
type exportIdentity struct {
	FileFormat string   `json:"format"`
	Columns    []string `json:"columns,omitempty"`
	Namespace  string   `json:"namespace"`
	Assets     []string `json:"assets"`
	Peers      []string `json:"peers,omitempty"`
	From       uint64   `json:"from"` // nanoseconds since the Unix epoch
	Sum        Sum      `json:"sum,omitempty"`
}

func (i exportIdentity) equals(o exportIdentity) bool {
	return i.FileFormat == o.FileFormat && slices.Equal(i.Columns, o.Columns) && i.Namespace == o.Namespace && slices.Equal(i.Assets, o.Assets) && slices.Equal(i.Peers, o.Peers) &&
		i.From == o.From && i.Sum == o.Sum
}

// accountLine has an account at the end of a part.
type accountLine struct {
	Account ledger.ID     `json:"account"`
	Peer    string        `json:"peer,omitempty"`
	Debits  ledger.Amount `json:"debits"`
	Credits ledger.Amount `json:"credits"`
}

// endLine is the last line.
type endLine struct {
	Checksum string `json:"crc32c"` // of all bytes before the line
}

// maxStateLine bounds a line: the head has the ids of peers, of up to 1,023 bytes each.
const maxStateLine = 16 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// writeTo writes the state as lines of JSON.
func (s *state) writeTo(w io.Writer) error {
	sum := crc32.New(castagnoli)
	lines := json.NewEncoder(io.MultiWriter(w, sum))
	s.Count = len(s.accounts)
	if err := lines.Encode(s); err != nil {
		return err
	}
	ids := make([]ledger.ID, 0, len(s.accounts))
	for id := range s.accounts {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, ledger.ID.Compare)
	for _, id := range ids {
		end := s.accounts[id]
		if err := lines.Encode(accountLine{id, end.peer, end.debits, end.credits}); err != nil {
			return err
		}
	}
	return json.NewEncoder(w).Encode(endLine{fmt.Sprintf("%08x", sum.Sum32())})
}

// readState reads a state. The error matches [ErrState] and names the line, or is of r.
func readState(r io.Reader) (*state, error) {
	text := bufio.NewScanner(r)
	text.Buffer(nil, maxStateLine)
	sum, number := crc32.New(castagnoli), 0
	next := func(into any) error {
		number++
		if !text.Scan() {
			if err := text.Err(); err != nil {
				return fmt.Errorf("%w: line %d: %w", ErrState, number, err)
			}
			return fmt.Errorf("%w: line %d is missing", ErrState, number)
		}
		decoder := json.NewDecoder(bytes.NewReader(text.Bytes()))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(into); err != nil {
			return fmt.Errorf("%w: line %d: %w", ErrState, number, err)
		}
		return nil
	}
	count := func() { _, _ = sum.Write(append(text.Bytes(), '\n')) }
	s := &state{accounts: map[ledger.ID]accountEnd{}}
	if err := next(s); err != nil {
		return nil, err
	}
	if err := s.validate(); err != nil {
		return nil, err
	}
	count()
	for range s.Count {
		var line accountLine
		if err := next(&line); err != nil {
			return nil, err
		}
		if _, twice := s.accounts[line.Account]; twice {
			return nil, fmt.Errorf("%w: line %d has the account %v again", ErrState, number, line.Account)
		}
		s.accounts[line.Account] = accountEnd{sums{line.Debits, line.Credits}, line.Peer}
		count()
	}
	var end endLine
	if err := next(&end); err != nil {
		return nil, err
	}
	if want := fmt.Sprintf("%08x", sum.Sum32()); end.Checksum != want {
		return nil, fmt.Errorf("%w: the checksum is %q, and %q is in its last line", ErrState, want, end.Checksum)
	}
	if text.Scan() {
		return nil, fmt.Errorf("%w: line %d is one too many", ErrState, number+1)
	}
	return s, nil
}

// validate checks the head.
func (s *state) validate() error {
	switch {
	case s.Format != stateFormat:
		return fmt.Errorf("%w: line 1: it is of format %d, and this version has %d", ErrState, s.Format, stateFormat)
	case s.Part < 1 || s.Count < 0 || s.Last > lastTimestamp || len(s.Bounds) != len(s.Export.Assets) || slices.ContainsFunc(s.Bounds, isNoBound):
		return fmt.Errorf("%w: line 1: part %d, time %d, number of accounts %d or bounds %v are impossible", ErrState, s.Part, s.Last, s.Count, s.Bounds)
	default:
		return nil
	}
}

func isNoBound(bound *big.Int) bool { return bound == nil || bound.Sign() < 0 }

// identity returns the identity of the export.
func (x *exporter) identity() exportIdentity {
	i := exportIdentity{
		FileFormat: x.format.Name, Columns: x.format.Columns, Namespace: x.book.Namespace(),
		Peers: slices.Sorted(slices.Values(x.query.Peers)), From: timestampOf(x.query.From), Sum: x.query.Sum,
	}
	for _, asset := range x.assets {
		i.Assets = append(i.Assets, fmt.Sprintf("%v on ledger %d", asset, asset.Ledger))
	}
	return i
}

// restoreState takes over the sums of the part before.
func (x *exporter) restoreState() error {
	if x.previous == nil {
		return nil
	}
	for i, before := range x.previous.Bounds {
		asset := &x.register.assets[i]
		asset.BoundBefore = before
		if asset.Bound.Cmp(before) < 0 {
			asset.Bound = before
		}
	}
	nets := make([]big.Int, len(x.balances)) // line and peer account together fit, and single sums may not
	for id, end := range x.previous.accounts {
		account := x.register.byID.find(id)
		if account == nil {
			return fmt.Errorf("%w: it has the account %v, and the ledger has no such account of the export", ErrState, id)
		}
		account.posted, account.shown.New = end.sums, false
		if account.covered {
			net := &nets[account.shown.Index]
			net.Add(net, end.debits.Big()).Sub(net, end.credits.Big())
		}
	}
	for i := range nets {
		balance, fits := balanceOf(&nets[i])
		if !fits {
			return fmt.Errorf("%w: the balance of %s exceeds 2^128-1 units", ErrState, x.register.shown[i].Name())
		}
		x.balances[i] = balance
	}
	return nil
}

// newState returns the state at the end of the part, which is before rows of checkBalances are added.
func (x *exporter) newState() *state {
	s := &state{Format: stateFormat, Export: x.identity(), Part: x.part, Last: x.last, accounts: map[ledger.ID]accountEnd{}}
	for i := range x.register.assets {
		s.Bounds = append(s.Bounds, x.register.assets[i].Bound)
	}
	for _, account := range x.register.accounts {
		if account.shown.Index < len(x.register.shown) && x.register.shown[account.shown.Index] == account.shown {
			s.accounts[account.id] = accountEnd{account.posted, account.shown.Peer}
		}
	}
	return s
}

// String returns the identity for messages.
func (i exportIdentity) String() string {
	text, _ := json.Marshal(i) // strings and numbers alone
	return string(text)
}
