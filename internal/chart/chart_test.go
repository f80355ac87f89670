package chart_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// Ledgers have these ids already: they must never change.
func ExampleNamespace() {
	ns := chart.Namespace("production")
	fmt.Println(ns.PeerAccount(chart.CodePeer, "alice", 1))
	fmt.Println(ns.AssetAccount(chart.CodeLiquidity, 1))
	fmt.Printf("%016x\n", ns.AssetTag("USD"))
	// Output:
	// 4b0b1584611508c6504af71aa6ae5c7a
	// ffdeae74b104464f5d6671239ab29ae0
	// 4fa5896eb4f5dd08
}

func TestIDsDoNotMeet(t *testing.T) {
	t.Parallel()
	seen := map[ledger.ID]string{}
	add := func(what string, id ledger.ID) {
		require.NotContains(t, seen, id, what)
		require.False(t, id.IsZero())
		seen[id] = what
	}
	for _, ns := range []chart.Namespace{"", "a", "ab"} {
		for _, kind := range []string{"", "a", "b"} {
			add("no field", ns.Derive(kind))
			add("empty field", ns.Derive(kind, nil))
			add("two empty fields", ns.Derive(kind, nil, nil))
			add("ab", ns.Derive(kind, []byte("ab")))
			add("a, b", ns.Derive(kind, []byte("a"), []byte("b")))
			add("b, a", ns.Derive(kind, []byte("b"), []byte("a")))
		}
		for _, code := range []uint16{chart.CodePeer, chart.CodeLine, chart.CodeSettlement} {
			for number := range uint32(3) {
				add("asset", ns.AssetAccount(code, number))
				for _, peer := range []string{"", "a", "alice"} {
					add(peer, ns.PeerAccount(code, peer, number))
				}
			}
		}
		add("id", ns.Derive("x", chart.ID(ledger.NewID(1, 2))))
		add("u64", ns.Derive("x", chart.U64(1)))
		add("u32", ns.Derive("x", chart.U32(1)))
	}
}

func TestTagsOfNamespacesDiffer(t *testing.T) {
	t.Parallel()
	require.NotEqual(t, chart.Namespace("a").PeerTag("alice"), chart.Namespace("b").PeerTag("alice"))
	require.NotEqual(t, chart.Namespace("").AssetTag("USD"), chart.Namespace("").AssetTag("EUR"))
}
