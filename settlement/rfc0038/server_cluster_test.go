//go:build cgo && unix

package rfc0038_test

import (
	"testing"

	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
)

// BenchmarkReportsOnACluster is BenchmarkReports on one TigerBeetle, or else on a server in this process.
func BenchmarkReportsOnACluster(b *testing.B) {
	l := tigerbeetletest.Start(b, tigerbeetletest.Config{Production: true}).Open(b)
	benchmarkReports(b, l, 16, `{"amount":"15","scale":2}`)
}
