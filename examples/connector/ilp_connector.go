package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"net/http"
	"strings"
	"time"
)

// errFigures is returned when the figures of an ilp-connector cannot be read.
var errFigures = errors.New("figures of the ilp-connector")

const (
	adminTimeout = 5 * time.Second
	maxAdminBody = 1 << 20 // bytes
	// exactFloat bounds the figures: the admin API sums in floating point, exact below.
	exactFloat = 1 << 53
)

// readIlpConnector reads the figures of an ilp-connector about one of its accounts from its admin
// API. Its balances are exact; its sums are refused from 2^53 on, where they are rounded.
func readIlpConnector(ctx context.Context, admin, account string) (figures, error) {
	f := figures{FromPeer: new(big.Int), ToPeer: new(big.Int), PacketsFromPeer: new(big.Int), PacketsToPeer: new(big.Int), FailedToPeer: new(big.Int)}
	var balances struct {
		Accounts map[string]struct {
			Balance string `json:"balance"`
		} `json:"accounts"`
	}
	if err := getAdmin(ctx, admin+"/balance", &balances); err != nil {
		return f, err
	}
	var ok bool
	if f.Debt, ok = new(big.Int).SetString(balances.Accounts[account].Balance, 10); !ok {
		return f, fmt.Errorf("%w: account %q has no balance", errFigures, account)
	}
	var stats []adminMetric
	if err := getAdmin(ctx, admin+"/stats", &stats); err != nil {
		return f, err
	}
	for _, metric := range stats {
		for _, v := range metric.Values {
			sum := f.sumOf(metric.Name, v.Labels.Result)
			if v.Labels.Account != account || sum == nil {
				continue
			}
			if v.Value < 0 || v.Value >= exactFloat || v.Value != math.Trunc(v.Value) {
				return f, fmt.Errorf("%w: %s is %v: not exact", errFigures, metric.Name, v.Value)
			}
			sum.SetUint64(uint64(v.Value))
		}
	}
	return f, nil
}

// adminMetric is a metric of the admin API.
type adminMetric struct {
	Name   string `json:"name"`
	Values []struct {
		Value  float64 `json:"value"`
		Labels struct {
			Account string `json:"account"`
			Result  string `json:"result"`
		} `json:"labels"`
	} `json:"values"`
}

// sumOf returns the figure of a metric, nil for none.
func (f *figures) sumOf(metric, result string) *big.Int {
	switch strings.TrimPrefix(metric, "ilp_connector_") + " " + result {
	case "incoming_ilp_packet_value fulfilled":
		return f.FromPeer
	case "outgoing_ilp_packet_value fulfilled":
		return f.ToPeer
	case "outgoing_ilp_packet_value failed":
		return f.FailedToPeer
	case "incoming_ilp_packets fulfilled":
		return f.PacketsFromPeer
	case "outgoing_ilp_packets fulfilled":
		return f.PacketsToPeer
	default:
		return nil
	}
}

// getAdmin reads a JSON document.
func getAdmin(ctx context.Context, url string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("%w: %w", errFigures, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("%w: %w", errFigures, err)
	}
	defer func() { _ = response.Body.Close() }() // read to its end, or not needed
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s answers %s", errFigures, url, response.Status)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAdminBody)).Decode(into); err != nil {
		return fmt.Errorf("%w: %s: %w", errFigures, url, err)
	}
	return nil
}
