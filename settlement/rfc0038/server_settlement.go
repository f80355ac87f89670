package rfc0038

import (
	"context"
	"errors"
	"net/http"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/settlement"
)

// serveSettlement books a reported payment; r has the account.
func (s *Server) serveSettlement(w http.ResponseWriter, request *http.Request, r Report) {
	if !isJSON(request) {
		s.refuse(w, http.StatusUnsupportedMediaType, "the body must be application/json")
		return
	}
	keys := request.Header.Values("Idempotency-Key")
	if len(keys) > 1 {
		s.refuse(w, http.StatusBadRequest, "there is more than one Idempotency-Key")
		return
	}
	r.Key = request.Header.Get("Idempotency-Key")
	if err := errors.Join(ParseKey(r.Key), accounts.CheckKey("payment", "Idempotency-Key", r.Key)); err != nil {
		s.refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	body, ok := s.readBody(w, request, s.cfg.MaxBody)
	if !ok {
		return
	}
	var err error
	if r.Quantity, err = ParseQuantity(body); err != nil {
		s.refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	ctx, cancel := s.callContext(request)
	defer cancel()
	s.answerReport(w, r, s.bookReport(ctx, r))
}

// bookReport books a payment, and counts a success. A payment of 0 is no payment.
func (s *Server) bookReport(ctx context.Context, r Report) error {
	if r.Quantity.IsZero() {
		s.counts.zero.Add(1)
		return nil
	}
	release, err := s.books.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	booked, err := s.cfg.Engine.RecordIncomingQuantity(ctx, settlement.IncomingQuantity{
		Account: r.Account, Key: r.Key, Amount: r.Quantity.Amount, Scale: r.Quantity.Scale,
	})
	switch {
	case err != nil:
	case booked.AlreadyBooked:
		s.counts.repeated.Add(1)
	default:
		s.counts.booked.Add(1)
		s.cfg.Events.Booked(r, booked)
	}
	return err
}

// answerReport answers by the error of bookReport. Every error but those that no repeat can change leaves the request
// without an answer: an earlier request may have booked the payment, and engines repeat a request without an answer
// under the same key.
func (s *Server) answerReport(w http.ResponseWriter, r Report, err error) {
	switch {
	case err == nil:
		answer, _ := r.Quantity.MarshalJSON() // it was parsed, so it is not negative
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(answer)
	case errors.Is(err, accounts.ErrKeyReused):
		s.counts.conflicts.Add(1)
		s.cfg.Events.Conflict(r, err)
		http.Error(w, "another value is booked under the key", http.StatusConflict)
	case errors.Is(err, settlement.ErrUnbookable), errors.Is(err, accounts.ErrKeyBurnt):
		s.counts.parked.Add(1)
		s.cfg.Events.Parked(r, err)
		http.Error(w, "the value cannot be booked", http.StatusUnprocessableEntity)
	case errors.Is(err, accounts.ErrNotProvisioned): // so nothing can be booked, under any key
		s.counts.parked.Add(1)
		s.cfg.Events.Parked(r, err)
		http.Error(w, "the account is unknown", http.StatusNotFound)
	default:
		s.leaveUnanswered(r, err)
	}
}
