package trace

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/peerledger/peerledger/ledger"
)

// peerRecord is a peer of the config line.
type peerRecord struct {
	AssetCode  string         `json:"assetCode"`
	AssetScale *uint8         `json:"assetScale"`
	Balance    *balanceRecord `json:"balance"`
}

// balanceRecord has the recorded connector's signs: a limit below 0 limits the connector's own
// debt.
type balanceRecord struct {
	Maximum         *string `json:"maximum"`
	Minimum         *string `json:"minimum"`
	SettleThreshold *string `json:"settleThreshold"`
	SettleTo        *string `json:"settleTo"`
}

func (p *parser) parseConfig(peers map[string]peerRecord) error {
	if len(peers) == 0 {
		return errors.New("the config has no peers")
	}
	p.trace.Peers = make([]Peer, 0, len(peers))
	for _, id := range slices.Sorted(maps.Keys(peers)) {
		peer, err := parsePeer(id, peers[id])
		if err != nil {
			return fmt.Errorf("peer %q: %w", id, err)
		}
		p.trace.Peers = append(p.trace.Peers, peer)
		p.peers[id] = &p.trace.Peers[len(p.trace.Peers)-1]
	}
	return nil
}

func parsePeer(id string, rec peerRecord) (Peer, error) {
	switch {
	case id == "":
		return Peer{}, errors.New("the id is empty")
	case rec.AssetCode == "":
		return Peer{}, errors.New("assetCode is missing")
	case rec.AssetScale == nil:
		return Peer{}, errors.New("assetScale is missing")
	case rec.Balance == nil:
		return Peer{}, errors.New("balance is missing")
	}
	peer := Peer{ID: id, AssetCode: rec.AssetCode, AssetScale: *rec.AssetScale}
	if err := peer.setCreditLine(rec.Balance); err != nil {
		return Peer{}, err
	}
	if err := peer.setSettle(rec.Balance); err != nil {
		return Peer{}, err
	}
	return peer, nil
}

func (p *Peer) setCreditLine(rec *balanceRecord) error {
	maximum, given, err := parseLimit("maximum", rec.Maximum, "Infinity")
	if err != nil {
		return err
	}
	if !maximum.Payable.IsZero() {
		return fmt.Errorf("maximum %q is below 0", *rec.Maximum)
	}
	p.CreditLine, p.Unlimited = maximum.Receivable, !given
	// The minimum limits the recorded connector's own debt. A replay ignores it, but it must be a
	// number.
	_, _, err = parseLimit("minimum", rec.Minimum, "-Infinity")
	return err
}

// setSettle follows the recorded connector: without a threshold it never pays, and by default it
// pays down to 0.
func (p *Peer) setSettle(rec *balanceRecord) error {
	threshold, given, err := parseLimit("settleThreshold", rec.SettleThreshold, "-Infinity")
	if err != nil {
		return err
	}
	to, _, err := parseLimit("settleTo", rec.SettleTo, "0")
	if err != nil || !given {
		return err
	}
	if to.Compare(threshold) > 0 {
		return errors.New("settleTo is below settleThreshold")
	}
	p.Settle = &Settle{Threshold: threshold, To: to}
	return nil
}

// parseLimit returns 0 and false if the limit is missing or has the value absent.
func parseLimit(name string, limit *string, absent string) (position Position, given bool, err error) {
	if limit == nil || *limit == absent {
		return Position{}, false, nil
	}
	if position, err = parsePosition(*limit); err != nil {
		return Position{}, false, fmt.Errorf("%s: %w", name, err)
	}
	return position, true, nil
}

// parsePosition reverses the sign: a balance of the recorded connector is positive when the peer
// owes.
func parsePosition(balance string) (Position, error) {
	digits, negative := strings.CutPrefix(balance, "-")
	amount, err := ledger.ParseAmount(digits)
	switch {
	case err != nil:
		return Position{}, err
	case negative:
		return Position{Payable: amount}, nil
	default:
		return Position{Receivable: amount}, nil
	}
}
