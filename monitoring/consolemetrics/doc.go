// Package consolemetrics gives Prometheus the figures of the console: requests, changes, open streams and its last look.
//
// Package monitoring has the figures of the books, and does not build the console's pages into a program. A scrape asks the
// ledger nothing.
package consolemetrics
