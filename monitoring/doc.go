// Package monitoring gives Prometheus the figures of a connector's books.
//
// [New] registers the metrics. [Metrics.Recorder], [Metrics.Rounds] and [Metrics.Settlement] wrap
// the events of recorders and an engine and count them. [Metrics.Watch] names the parts to ask when Prometheus
// scrapes. Package clustermetrics has the metrics of a TigerBeetle cluster's sessions and needs
// cgo. Nothing is registered globally, and no goroutine is left running.
//
// # The cost of a scrape
//
// A scrape reads the balances of all peers (one request for some 2,000 peers), our own positions
// (one request), the new rows of the suspense accounts (one request for 8,189 rows) and the open
// orders (some three requests for each of at most [Config].Orders orders). A scrape has a
// deadline, Config.Timeout. The remainders of Sources.EngineAccounts take a request each. The ledger
// is read once per Config.Interval; scrapes in between get the same figures again, whatever the number
// of servers.
//
// Payments are not read: they would take some ten requests for each peer with payments.
// peerledger_prepaid and peerledger_peer_prepaid are exact for peers whose payments this process
// has read, as the settlement engine does before it pays, and an upper bound for all others.
// A failed read is counted in peerledger_scrape_errors_total, and the series of the read are
// absent until a read succeeds. An unknown figure is never shown as zero.
//
// # The number of series
//
// A peer has series of its own if Config.Peers names the peer, or if the peer has one of the
// Config.Top largest positions of the asset, payable or receivable. The remaining peers are
// summed up in peerledger_other_peers_*. The figures of alerts count all peers:
// peerledger_peers_past_threshold, peerledger_peers_line_nearly_used,
// peerledger_peers_in_arrears and peerledger_peers_suspended. The labels of all other metrics
// have few values: assets, rails, engines, outcomes.
//
// # Amounts
//
// Amounts are in whole units of the asset: 1.25 for 125 units at scale 2. The ledger has 128-bit
// integers. Prometheus has 64-bit floats, exact up to 2^53 units and to some 15 digits beyond.
// Use the metrics for graphs and alerts, and [accounts.Book.Statement] for accounting.
package monitoring
