// Package tigerbeetletest gives tests a real TigerBeetle: a single node or a cluster, whose
// replicas can be stopped, killed, paused and cut off.
//
//	c := tigerbeetletest.Start(t, tigerbeetletest.Config{Replicas: 3})
//	l := c.Open(t)
//	c.Replica(c.Primary()).Kill()
//
// Start takes, in this order, what there is:
//
//  1. Docker with the image Image, present or pulled, through testcontainers-go;
//  2. the binary that TIGERBEETLE_BINARY names;
//  3. a binary "tigerbeetle" on PATH;
//
// and otherwise skips the test with a line that says what is missing, or fails it if
// PEERLEDGER_REQUIRE_CLUSTER=1. A development server takes some 1.5 GiB of memory and a data
// file of 1.1 GiB, most of it a hole.
//
// # Network
//
// Every replica listens on 127.0.0.1, and everybody reaches it through a Proxy: clients
// through one, and each other replica through one of its own. So any link can be delayed,
// black-holed or reset, in each direction, with the same code for processes and containers.
// Containers use the host's network for this; that is Linux, or Docker Desktop with host
// networking turned on. They run without privileges but for seccomp, which has to let
// io_uring through, and an unlimited memlock; tini is PID 1; the data is on a volume that
// outlives a restart. What a killed test leaves behind testcontainers' Ryuk removes, unless
// TESTCONTAINERS_RYUK_DISABLED is set; processes die with the test on Linux only.
//
// The package needs cgo, as a client tells when a cluster is ready, and the signals of Unix;
// elsewhere it is empty.
package tigerbeetletest
