// Package monitoring gives Prometheus the figures of a connector's books.
//
// New registers the metrics; Metrics.Recorder, Metrics.Settlement and, with cgo,
// Metrics.Cluster wrap the events of the parts, which count what happens; Metrics.Watch
// names the parts that are asked when Prometheus scrapes. Nothing is registered globally,
// and no goroutine is left running.
//
// # What a scrape costs the ledger
//
// A scrape reads the balances of all peers (one request for some 2,000 of them), our own
// positions (one request), what is new on the suspense accounts (one request for each 8,189
// rows) and the open orders (some three requests for each, of at most Config.Orders). It has a deadline, Config.Timeout, and is made once per Config.Interval,
// however many servers scrape and how often: in between they get the same figures again.
// Payments are not read, which would take some ten requests for each peer that has made any:
// peerledger_prepaid and peerledger_peer_prepaid are exact as far as somebody has read them in
// this process, as the settlement engine does before it pays, and an upper bound else.
// What could not be read is counted in peerledger_scrape_errors_total, and its series are
// absent for as long: there are no zeros for what is not known.
//
// # How many series
//
// Peers have series of their own only if Config.Peers names them, or if they are among the
// Config.Top largest positions in their asset, owed by us or to us. The others are summed
// up in peerledger_other_peers_*. What alerts need is counted over all peers:
// peerledger_peers_past_threshold, peerledger_peers_line_nearly_used,
// peerledger_peers_in_arrears and peerledger_peers_suspended. All other labels have few values: assets, rails, outcomes.
//
// # Amounts
//
// Amounts are in whole units of the asset: 1.25 for 125 units at scale 2. They are 128-bit
// integers in the ledger and 64-bit floats here, which are exact only up to 2^53 units and
// to some 15 digits beyond that. They are for graphs and alerts, and not for accounting.
package monitoring
