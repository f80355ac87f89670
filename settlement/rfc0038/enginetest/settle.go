package enginetest

import (
	"errors"
	"math/big"
	"net/http"

	"github.com/peerledger/peerledger/settlement/rfc0038"
)

var (
	errOneKey     = errors.New("the Idempotency-Key must occur once")
	errOtherValue = errors.New("the Idempotency-Key was used with another value")
	errTooMuch    = errors.New("the amount has too many digits in the unit of the rail")
)

// settle takes a settlement over, once for each key of the account. The answer comes when the
// settlement is on disk; the payment comes later.
func (e *Engine) settle(run *run, keys []string, id string, body []byte) answer {
	e.mu.Lock()
	a := run.store.accounts[id]
	live := a != nil && a.live
	e.mu.Unlock()
	if !live {
		return answerUnknownAccount()
	}
	key, err := e.readKey(keys)
	if err != nil {
		return answer{http.StatusBadRequest, mediaText, []byte(err.Error())}
	}
	q, err := rfc0038.ParseQuantity(body)
	if err != nil {
		return e.refuseBody(err)
	}
	if units, _ := q.Split(e.cfg.Scale); units.BitLen() >= maxAmountBits { // with a remainder at most as many
		return e.refuseBody(errTooMuch)
	}
	e.mu.Lock()
	known := a.settlements[key]
	repeated := known != nil
	if !repeated {
		known = e.acceptSettlement(run, id, key, q)
	}
	place := known.place
	e.mu.Unlock()
	if run.store.wait(run.ctx, place) != nil {
		return answer{}
	}
	switch {
	case repeated && e.cfg.Mode == Conflict:
		return answer{http.StatusConflict, mediaProblem, []byte(`{"type":"about:blank","title":"Store idempotency error","status":409}`)}
	case repeated && !known.value.Equal(q):
		return answer{http.StatusBadRequest, mediaText, []byte(errOtherValue.Error())}
	}
	return e.answerSettlement(known, q)
}

// readKey returns the key of a settlement. In the mode Early each settlement has a new key.
func (e *Engine) readKey(keys []string) (string, error) {
	switch {
	case e.cfg.Mode == Early:
		return newUUID(), nil
	case len(keys) != 1:
		return "", errOneKey
	}
	return keys[0], rfc0038.ParseKey(keys[0])
}

// acceptSettlement writes a new settlement. The caller holds mu.
func (e *Engine) acceptSettlement(run *run, id, key string, q rfc0038.Quantity) *settled {
	a := run.store.accounts[id]
	whole, rest := q, rfc0038.Quantity{}
	if e.keepsRemainder() && !a.rest.IsZero() {
		whole = addQuantities(q, a.rest)
	}
	units, left := whole.Split(e.cfg.Scale)
	if e.keepsRemainder() {
		rest = left
	}
	place := run.store.write(entryAccepted, entry{Account: id, Key: key, Value: &q, Units: units, Rest: &rest})
	done := a.settlements[key]
	done.place = place
	e.startPayer(run, id)
	return done
}

// keepsRemainder reports whether the engine keeps what is below its unit; else the connector does.
func (e *Engine) keepsRemainder() bool { return e.cfg.Mode != Draft2 && e.cfg.Mode != Early }

// answerSettlement answers a settlement that is on disk; q is the Quantity of this request.
func (e *Engine) answerSettlement(done *settled, q rfc0038.Quantity) answer {
	status := http.StatusCreated
	switch e.cfg.Mode {
	case Text:
		return answer{status, mediaJSON, []byte("EXECUTED")}
	case Draft2:
		q = rfc0038.Quantity{Amount: done.units, Scale: e.cfg.Scale}
	case Early:
		q, status = rfc0038.Quantity{Amount: done.units, Scale: e.cfg.Scale}, http.StatusOK
	case Draft3, Conflict:
	}
	text, err := q.MarshalJSON()
	if err != nil {
		return answer{}
	}
	return answer{status, mediaJSON, text}
}

// startPayer starts a goroutine that pays the settlements of an account, if there are any and none pays them yet. The
// caller holds mu.
func (e *Engine) startPayer(run *run, id string) {
	if run.paying[id] || len(run.store.accounts[id].unpaid) == 0 {
		return
	}
	run.paying[id] = true
	run.work.Go(func() { e.payAccount(run, id) })
}

// payAccount pays the settlements of an account in their order, until none is left or the run ends.
func (e *Engine) payAccount(run *run, id string) {
	for next := e.nextUnpaid(run, id); next != nil; next = e.nextUnpaid(run, id) {
		if e.pay(run, id, next) != nil { // the run ends, or its store failed
			return
		}
	}
}

// nextUnpaid returns the oldest unpaid settlement of an account. Without one, nil, no goroutine pays the account any more.
func (e *Engine) nextUnpaid(run *run, id string) *settled {
	e.mu.Lock()
	defer e.mu.Unlock()
	unpaid := run.store.accounts[id].unpaid
	if len(unpaid) == 0 {
		delete(run.paying, id)
		return nil
	}
	return unpaid[0]
}

// pay makes the payment of a settlement. The payment's id depends on the store and the key, so a
// payment that was made before a restart with the store is not made again.
func (e *Engine) pay(run *run, id string, next *settled) error {
	if err := run.store.wait(run.ctx, next.place); err != nil {
		return err
	}
	to, err := e.findPeer(run, id)
	if err != nil {
		return err
	}
	p := Payment{
		ID: run.store.id + "/" + id + "/" + next.key, Key: next.key,
		From: Address{Engine: e.cfg.Name, Account: id}, To: to,
		Amount: rfc0038.Quantity{Amount: new(big.Int).Set(next.units), Scale: e.cfg.Scale},
	}
	if err := retry(run.ctx, e.cfg, func() error { return e.cfg.Rail.Pay(p) }); err != nil {
		return err
	}
	e.mu.Lock()
	place := run.store.write(entryPaid, entry{Account: id, Key: next.key})
	e.mu.Unlock()
	return run.store.wait(run.ctx, place)
}
