package enginetest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// Address is an account on a [Rail].
type Address struct {
	Engine  string `json:"engine"`  // Config.Name
	Account string `json:"account"` // the id that the connector of that engine gave the account
}

// Payment is a payment on a [Rail].
type Payment struct {
	ID     string           `json:"id"` // unique on the rail; a payment with a known id is not made again
	From   Address          `json:"from"`
	To     Address          `json:"to"`
	Amount rfc0038.Quantity `json:"amount"` // above 0
	Key    string           `json:"key"`    // the Idempotency-Key of the settlement; "" for a payment from outside
}

// ErrInvalidPayment is returned when a [Payment] has no id, no amount above 0 or one of too many digits,
// or when its id is the id of another payment.
var ErrInvalidPayment = errors.New("enginetest: invalid payment")

// maxAmountBits bounds amounts, some 3600 digits: also a sum of amounts of different scales can be read
// again, which has at most [rfc0038.MaxAmountDigits].
const maxAmountBits = 12000

// railPoll is the pause between two looks at a file that other processes may write to.
const railPoll = 20 * time.Millisecond

// Rail moves numbers between engines, and records each payment. Engines of one process share the
// Rail of [NewRail]; engines of several processes open one file with [OpenRail]. All methods may be
// called concurrently.
type Rail struct {
	mu       sync.Mutex
	payments []*Payment // none of them ever changes
	byID     map[string]*Payment
	// changed has, for those who wait, a channel that is closed at the next payment to an engine; "": to any.
	changed map[string]chan struct{}

	// The fields of a rail in a file, under mu.
	file *os.File
	lock *flock.Flock
	read int64 // bytes of the file that payments has
}

// NewRail returns a rail in memory.
func NewRail() *Rail {
	return &Rail{byID: map[string]*Payment{}, changed: map[string]chan struct{}{}}
}

// OpenRail opens a rail in a file, and creates the file if it is missing. Each line of the file is a
// payment in JSON. A payment is on disk when [Rail.Pay] returns. The lock of the file is PATH.lock.
func OpenRail(path string) (*Rail, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	r := NewRail()
	r.file, r.lock = file, flock.New(path+".lock")
	if err := r.readFile(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return r, nil
}

// Close closes the file of the rail. A rail in memory needs no Close.
func (r *Rail) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return nil
	}
	return errors.Join(r.file.Close(), r.lock.Close())
}

// Pay makes a payment, once for each id. The same payment again is no error.
func (r *Rail) Pay(p Payment) error {
	if p.ID == "" || p.Amount.Amount == nil || p.Amount.Amount.Sign() <= 0 || p.Amount.Amount.BitLen() > maxAmountBits {
		return fmt.Errorf("%w: %q of %v", ErrInvalidPayment, p.ID, p.Amount)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return r.add(p)
	}
	if err := r.lock.Lock(); err != nil {
		return err
	}
	err := r.writePayment(p)
	return errors.Join(err, r.lock.Unlock())
}

// add adds a payment to the list. The caller holds mu.
func (r *Rail) add(p Payment) error {
	if known, found := r.byID[p.ID]; found {
		if known.To != p.To || !known.Amount.Equal(p.Amount) {
			return fmt.Errorf("%w: %q was a payment of %v to %v", ErrInvalidPayment, p.ID, known.Amount, known.To)
		}
		return nil
	}
	r.byID[p.ID] = &p
	r.payments = append(r.payments, &p)
	for _, engine := range []string{"", p.To.Engine} {
		if changed := r.changed[engine]; changed != nil {
			close(changed)
			delete(r.changed, engine)
		}
	}
	return nil
}

// writePayment appends a payment to the file. The caller holds mu and the file's lock, so a line
// without an end is the rest of a writer that was killed.
func (r *Rail) writePayment(p Payment) error {
	if err := r.readFile(); err != nil {
		return err
	}
	if _, found := r.byID[p.ID]; found {
		return r.add(p)
	}
	line, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := r.file.Truncate(r.read); err != nil {
		return err
	}
	if _, err := r.file.WriteAt(append(line, '\n'), r.read); err != nil {
		return err
	}
	if err := r.file.Sync(); err != nil {
		return err
	}
	r.read += int64(len(line)) + 1
	return r.add(p)
}

// readFile adds the payments that other processes have written. The caller holds mu.
func (r *Rail) readFile() error {
	lines := bufio.NewReader(io.NewSectionReader(r.file, r.read, 1<<62))
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var p Payment
		if err := json.Unmarshal(bytes.TrimSpace(line), &p); err != nil {
			return fmt.Errorf("enginetest: %s at byte %d: %w", r.file.Name(), r.read, err)
		}
		r.read += int64(len(line))
		if err := r.add(p); err != nil {
			return err
		}
	}
}

// Payments returns all payments in their order.
func (r *Rail) Payments() ([]Payment, error) {
	news, err := r.readFrom(0, "")
	return news.list, err
}

// railNews are payments from an index on.
type railNews struct {
	list    []Payment
	next    int             // the index to go on with
	changed <-chan struct{} // closed when this process makes another payment of the kind
}

// readFrom returns the payments to an engine from an index on; "": to any engine.
func (r *Rail) readFrom(index int, engine string) (railNews, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file != nil {
		if err := r.readFile(); err != nil {
			return railNews{}, err
		}
	}
	news := railNews{next: max(index, len(r.payments))}
	for _, p := range r.payments[min(index, len(r.payments)):] {
		if engine == "" || p.To.Engine == engine {
			news.list = append(news.list, *p)
		}
	}
	if r.changed[engine] == nil {
		r.changed[engine] = make(chan struct{})
	}
	news.changed = r.changed[engine]
	return news, nil
}

// WaitFrom waits for the payment with an index, from 0, and returns that payment and all behind it. The
// error is the context's or the file's.
func (r *Rail) WaitFrom(ctx context.Context, index int) ([]Payment, error) {
	list, _, err := r.waitFrom(ctx, index, "")
	return list, err
}

// waitFrom waits for a payment to an engine ("": to any) with an index or a larger one, and returns all such
// payments, and the index to go on with.
func (r *Rail) waitFrom(ctx context.Context, index int, engine string) (list []Payment, next int, err error) {
	for {
		news, err := r.readFrom(index, engine)
		switch {
		case err != nil:
			return nil, index, err
		case len(news.list) > 0:
			return news.list, news.next, nil
		}
		index = news.next
		var poll <-chan time.Time
		if r.lock != nil {
			poll = time.After(railPoll)
		}
		select {
		case <-ctx.Done():
			return nil, index, ctx.Err()
		case <-news.changed:
		case <-poll:
		}
	}
}
