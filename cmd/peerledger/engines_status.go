package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// enginesStatus is what "engines run" knows of its engines. It is in a file, so that other commands can
// show it while the process has the ledger open, and after the process has ended.
type enginesStatus struct {
	At      time.Time      `json:"at"`
	Engines []engineStatus `json:"engines"`
	Stuck   []stuckRow     `json:"stuck"`
}

// engineStatus has the figures of an engine.
type engineStatus struct {
	Name       string `json:"name"`
	Unanswered int    `json:"unanswered"` // orders without a final answer
	// OldestUnanswered is when the oldest of them that waits for no operator was first sent; zero
	// without one.
	OldestUnanswered time.Time `json:"oldest_unanswered,omitzero"`
	Parked           int       `json:"parked"`
	Stopped          int       `json:"stopped"`
}

// stuckRow is a settlement that waits for an operator.
type stuckRow struct {
	Engine  string `json:"engine"`
	Peer    string `json:"peer"`
	Asset   string `json:"asset"`
	Order   string `json:"order"` // the id, which is also the key at the engine
	Amount  string `json:"amount"`
	Account string `json:"account"` // at the engine
	Sent    string `json:"sent"`    // the Quantity, as in 30.00
	State   string `json:"state"`   // "parked": the engine may have paid; "stopped": it refuses, or was not asked
	Since   string `json:"since"`
	Status  int    `json:"status,omitempty"` // of the engine's answer; 0 without one
	Answer  string `json:"answer,omitempty"` // the beginning of the body
	Reason  string `json:"reason"`
}

// The states of a settlement that waits for an operator.
const (
	stateParked  = "parked"
	stateStopped = "stopped"
)

// newStatus returns the status of now.
func newStatus(list []*openEngine, now time.Time) enginesStatus {
	status := enginesStatus{At: now.UTC(), Engines: []engineStatus{}, Stuck: []stuckRow{}}
	for _, e := range list {
		stats := e.settler.Stats()
		one := engineStatus{Name: e.cfg.Name, Unanswered: stats.Unanswered, Parked: stats.Parked, Stopped: stats.Stopped}
		if stats.OldestUnanswered > 0 {
			one.OldestUnanswered = now.Add(-stats.OldestUnanswered).UTC()
		}
		status.Engines = append(status.Engines, one)
		for _, stuck := range e.settler.Stuck() {
			status.Stuck = append(status.Stuck, newStuckRow(e.cfg.Name, stuck))
		}
	}
	return status
}

func newStuckRow(engine string, stuck *rfc0038.StuckError) stuckRow {
	o := stuck.Order
	row := stuckRow{
		Engine: engine, Peer: o.Account.Peer(), Asset: o.Asset.String(), Order: o.ID.String(), Amount: o.Asset.Format(o.Amount),
		Account: stuck.WireID, Sent: stuck.Quantity.String(), State: stateStopped, Since: formatTime(stuck.Since), Reason: stuck.Reason.Error(),
	}
	if stuck.IsParked() {
		row.State = stateParked
	}
	row.Status, row.Answer = stuck.Answer()
	return row
}

// writeStatus replaces the file.
func writeStatus(file string, status enginesStatus) error {
	content, err := json.MarshalIndent(status, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(file, append(content, '\n'), 0o600)
}

// readStatus reads the file. Without a file, the status is zero.
func readStatus(file string) (status enginesStatus, err error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return status, nil
	}
	if err == nil {
		err = json.Unmarshal(content, &status)
	}
	if err != nil {
		return status, fmt.Errorf("state of the engines: %s: %w", file, err)
	}
	return status, nil
}

// findFigures returns an engine's figures; false without any.
func (s enginesStatus) findFigures(engine string) (engineStatus, bool) {
	i := slices.IndexFunc(s.Engines, func(e engineStatus) bool { return e.Name == engine })
	if i < 0 {
		return engineStatus{}, false
	}
	return s.Engines[i], true
}

// findAnswer returns what is known of an order that waits for an operator; "" if nothing is.
func (s enginesStatus) findAnswer(order string) string {
	i := slices.IndexFunc(s.Stuck, func(r stuckRow) bool { return r.Order == order })
	if i < 0 {
		return ""
	}
	return s.Stuck[i].State + ": " + s.Stuck[i].Reason
}
