// Package rfc0038 speaks Interledger RFC 0038, the HTTP interface between a connector and a
// settlement engine, in both roles of the connector: as the client that asks an engine to pay, and
// as the server that engines report incoming payments to.
package rfc0038
