module github.com/peerledger/peerledger/tools/sqlite

go 1.26.7

replace github.com/peerledger/peerledger => ../..

require (
	github.com/mattn/go-sqlite3 v1.14.53
	github.com/peerledger/peerledger v0.0.0-00010101000000-000000000000
	github.com/stretchr/testify v1.12.1
	golang.org/x/sys v0.49.0
	lukechampine.com/uint128 v1.3.0
)

require (
	github.com/cenkalti/backoff/v5 v5.0.3 // indirect
	github.com/gofrs/flock v0.13.1 // indirect
	github.com/klauspost/compress v1.20.1 // indirect
	github.com/shopspring/decimal v1.6.0 // indirect
	go.yaml.in/yaml/v3 v3.0.6 // indirect
	golang.org/x/text v0.43.0 // indirect
)
