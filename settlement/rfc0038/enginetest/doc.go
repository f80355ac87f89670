// Package enginetest is a settlement engine of RFC 0038 for tests, and a fake of interledger-rs for
// the other side. Connectors are tested against an [Engine]: its habits are chosen with [Mode] and
// [Reports], and its faults with [Engine.Inject] and [Engine.Restart]. The money is numbers on a
// [Rail], whose record is the truth to compare books with. [RustConnector] has the habits of
// interledger-rs 1.0.0, for tests of engines and of servers.
//
// An Engine in [Draft3] is also a model for those who write engines. It answers a settlement when
// the settlement is on disk, pays it once, keeps the remainder below the rail's unit, and reports
// each incoming payment under one key for ever. Package check has the rules as a suite of clauses.
//
// The habits were observed on the wire of programs in use: settlement-core 0.1.1 of October 2019 and
// its last commit f82d09d, and the engine layer of interledger-rs 544b6db. [Draft2] and [Draft3] are
// the drafts of RFC 0038 before and after the commit 79d6c19 of interledger/rfcs.
package enginetest
