module github.com/peerledger/peerledger

go 1.26.0

require (
	github.com/stretchr/testify v1.12.1 // indirect
	lukechampine.com/uint128 v1.3.0 // indirect
)
