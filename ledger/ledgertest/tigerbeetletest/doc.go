// Package tigerbeetletest gives tests a TigerBeetle: a single node or a cluster, whose replicas can
// be stopped, killed, paused and cut off.
//
//	c := tigerbeetletest.Start(t, tigerbeetletest.Config{Replicas: 3})
//	l := c.Open(t)
//	c.Replica(c.Primary()).Kill()
//
// [Start] uses the first TigerBeetle found, in this order:
//
//  1. Docker with the image [Image], present or pulled (at most three minutes; with
//     PEERLEDGER_PULL=never, present only), through testcontainers-go;
//  2. the binary in TIGERBEETLE_BINARY;
//  3. a binary "tigerbeetle" on PATH;
//  4. for a single node, unless [Config.Real] is set: package ledger/server in the test's process,
//     over an embedded ledger.
//
// Otherwise [Start] skips the test with a line that names the missing parts. If
// PEERLEDGER_REQUIRE_CLUSTER=1, only the first three count, and the test fails without them. If
// PEERLEDGER_TIGERBEETLE=server, a single node is the fourth without a search for the others.
//
// A real development server takes some 1.5 GiB of memory and a data file of 1.1 GiB, most of it a
// hole. The server in the test's process keeps its ledger and its sessions when it is stopped or
// killed, and a pause stops it before the next request.
//
// # Network
//
// Every replica listens on 127.0.0.1. Clients and the other replicas connect through a [Proxy]:
// clients share one proxy per replica, and each other replica has a proxy of its own. So any link
// can be delayed, black-holed or reset, in each direction, with the same code for processes and
// containers.
//
// Containers therefore use the host's network, which needs Linux, or Docker Desktop with host
// networking turned on. Containers run without privileges, but with an unlimited memlock and
// without seccomp, which may block io_uring. tini is PID 1. The data is on a volume that survives
// a restart.
//
// After a killed test, testcontainers' Ryuk removes the containers and volumes, unless
// TESTCONTAINERS_RYUK_DISABLED is set. Processes die with the test on Linux only.
//
// The package needs cgo for the client that determines when a cluster is ready, and the signals
// of Unix. Elsewhere it is empty.
package tigerbeetletest
