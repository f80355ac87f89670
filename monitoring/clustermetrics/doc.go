// Package clustermetrics gives Prometheus the figures of a TigerBeetle cluster's sessions.
//
// The package is empty without cgo, like [cluster.Ledger]. Package monitoring has the figures of
// the books and builds without cgo.
//
// New registers the metrics, [Metrics.Events] counts the events of sessions, and [Metrics.Watch]
// names the ledger whose sessions and calls a scrape shows. A scrape asks the cluster nothing.
package clustermetrics
