package enginetest

import (
	"bytes"
	"context"
	cryptorand "crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// reportPayments reports each payment of the rail to this engine, until the run ends.
func (e *Engine) reportPayments(run *run) {
	for index := 0; ; {
		var list []Payment
		err := retry(run.ctx, e.cfg, func() (err error) {
			list, index, err = e.cfg.Rail.waitFrom(run.ctx, index, e.cfg.Name)
			return err
		})
		if err != nil {
			return
		}
		for _, p := range list {
			e.mu.Lock()
			reported := run.store.reported[p.ID]
			e.mu.Unlock()
			if !reported {
				run.work.Go(func() { e.reportPayment(run, p) })
			}
		}
	}
}

// reportPayment reports a payment until it counts as reported.
func (e *Engine) reportPayment(run *run, p Payment) {
	amount, err := e.fixAmount(run, p)
	if err != nil {
		return
	}
	body, err := json.Marshal(amount)
	if err != nil {
		return // no amount of a rail
	}
	header := http.Header{"Content-Type": {mediaJSON}, "Idempotency-Key": {ReportKey(p.ID)}}
	var left *rfc0038.Quantity
	err = retry(run.ctx, e.cfg, func() error {
		status, answer, err := e.callConnector(run, p.To.Account, "settlements", header, body)
		if err != nil {
			return err
		}
		left, err = e.readOutcome(amount, status, answer)
		return err
	})
	if err != nil {
		return // the run ends
	}
	e.mu.Lock()
	run.store.write(entryReported, entry{ID: p.ID, Account: p.To.Account, Value: left})
	e.mu.Unlock()
}

// ReportKey returns the Idempotency-Key under which engines report a payment: the SHA-256 of the
// payment's id in 64 hexadecimal digits.
func ReportKey(paymentID string) string {
	sum := sha256.Sum256([]byte(paymentID))
	return hex.EncodeToString(sum[:])
}

// fixAmount returns the amount of a report: the payment, and the amounts that the connector did not take from
// earlier reports. The amount is on disk before its key is used.
func (e *Engine) fixAmount(run *run, p Payment) (rfc0038.Quantity, error) {
	if e.cfg.Mode != Draft2 && e.cfg.Reports != ReportsPutAside {
		return p.Amount, nil
	}
	e.mu.Lock()
	amount, fixed := run.store.reports[p.ID]
	var place wal.Position
	if !fixed {
		amount = addQuantities(p.Amount, run.store.findAccount(p.To.Account).aside)
		if e.cfg.Reports == ReportsPutAside {
			amount = shortenQuantity(amount)
		}
		place = run.store.write(entryReport, entry{ID: p.ID, Account: p.To.Account, Value: &amount})
	}
	e.mu.Unlock()
	return amount, run.store.wait(run.ctx, place)
}

// errAskAgain is returned when a report must be repeated under its key.
var errAskAgain = errors.New("enginetest: the connector did not take the report")

// readOutcome returns the part of a report that the connector did not take, or errAskAgain.
func (e *Engine) readOutcome(sent rfc0038.Quantity, status int, body []byte) (left *rfc0038.Quantity, err error) {
	taken := status/100 == 2
	switch {
	case taken && e.cfg.Mode == Draft2:
		rest := sent
		if credited, err := rfc0038.ParseQuantity(body); err == nil {
			rest = subtractQuantities(sent, credited)
		}
		return &rest, nil
	case taken:
		return nil, nil
	case e.cfg.Reports == ReportsPutAside:
		return &sent, nil
	case e.cfg.Mode == Draft2 && status/100 == 4 && status != http.StatusConflict:
		return &sent, nil
	}
	return nil, fmt.Errorf("%w: status %d", errAskAgain, status)
}

// findPeer returns the peer's account on the rail. It asks the peer's engine until it answers.
func (e *Engine) findPeer(run *run, id string) (to Address, err error) {
	if to, found := e.cfg.Peers[id]; found {
		return to, nil
	}
	err = retry(run.ctx, e.cfg, func() error {
		status, body, err := e.callConnector(run, id, "messages", http.Header{"Content-Type": {mediaOctets}}, addressRequest)
		if err != nil {
			return err
		}
		if status/100 != 2 {
			return fmt.Errorf("%w: status %d", errAskAgain, status)
		}
		if err := json.Unmarshal(body, &to); err != nil {
			return err
		}
		if to.Engine == "" || to.Account == "" {
			return fmt.Errorf("%w: the peer's engine has no address", errAskAgain)
		}
		return nil
	})
	return to, err
}

// callConnector posts to the connector and returns the answer. It waits for a connector to be set.
func (e *Engine) callConnector(run *run, id, kind string, header http.Header, body []byte) (status int, answer []byte, err error) {
	base, err := e.waitForConnector(run)
	if err != nil {
		return 0, nil, err
	}
	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
	case <-run.ctx.Done():
		return 0, nil, run.ctx.Err()
	}
	ctx, cancel := context.WithTimeout(run.ctx, e.cfg.ReportTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(base, "/")+"/accounts/"+url.PathEscape(id)+"/"+kind, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header = header.Clone()
	if e.cfg.ConnectorToken != "" {
		r.Header.Set("Authorization", "Bearer "+e.cfg.ConnectorToken)
	}
	response, err := e.client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close() //nolint:errcheck // the body is read
	answer, err = io.ReadAll(io.LimitReader(response.Body, maxBody))
	return response.StatusCode, answer, err
}

func (e *Engine) waitForConnector(run *run) (base string, err error) {
	for {
		e.mu.Lock()
		base, changed := e.connector, run.ready
		e.mu.Unlock()
		if base != "" {
			return base, nil
		}
		select {
		case <-changed:
		case <-run.ctx.Done():
			return "", run.ctx.Err()
		}
	}
}

// retry calls try until it succeeds, with pauses. The error is the context's.
func retry(ctx context.Context, cfg Config, try func() error) error {
	if try() == nil { // almost always
		return nil
	}
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = cfg.RetryMin, cfg.RetryMax
	pauses.Multiplier, pauses.RandomizationFactor = 2, 0
	for {
		pause := pauses.NextBackOff()
		timer := time.NewTimer(pause - rand.N(pause/2+1))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
		if try() == nil {
			return nil
		}
	}
}

// newUUID returns a random UUID of version 4.
func newUUID() string {
	var b [16]byte
	_, _ = cryptorand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
