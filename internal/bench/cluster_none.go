//go:build !cgo || !unix

package bench

import "errors"

// errNoCluster says what TigerBeetle's client needs.
var errNoCluster = errors.New("-ledger cluster needs cgo, and a Unix system: this program was built without")

func clusterFromEnv() (subject, error) { return nil, errNoCluster }
