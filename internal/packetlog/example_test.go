package packetlog_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"

	"github.com/peerledger/peerledger/internal/packetlog"
)

func Example() {
	var d packetlog.Decoder
	alice, bob := packetlog.Party{Ledger: 1, Peer: "alice"}, packetlog.Party{Ledger: 1, Peer: "bob"}
	for index, party := range []packetlog.Party{alice, bob} {
		if err := d.AddParty(packetlog.AppendParty(nil, uint32(index), party)); err != nil {
			fmt.Println(err)
		}
	}
	record := packetlog.AppendPacket(nil, &packetlog.Packet{Number: 1, In: 100, Out: 99}, 0, 1)
	p, _, _, err := d.ReadPacket(record)
	fmt.Println(p.From.Peer, p.In, p.To.Peer, p.Out, err)
	// Output: alice 100 bob 99 <nil>
}

// A recorder has moved its log into the archive. A search finds packets by the first bytes of a condition.
func ExampleSearch() {
	parent, err := os.MkdirTemp("", "peerledger")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(parent) }()
	w, err := packetlog.CreateArchive(filepath.Join(parent, packetlog.ArchiveFolder), 1, 1)
	if err != nil {
		panic(err)
	}
	alice, bob := packetlog.Party{Ledger: 1, Peer: "alice"}, packetlog.Party{Ledger: 1, Peer: "bob"}
	for n := range uint64(5000) {
		p := packetlog.Packet{Number: n + 1, ResolvedAt: int64(n), From: alice, To: bob, In: n, Out: n}
		binary.BigEndian.PutUint64(p.Condition[:], 0xc0ffee0000000000+n)
		if err := w.Add(&p); err != nil {
			panic(err)
		}
	}
	if err := w.Commit(); err != nil {
		panic(err)
	}
	q := packetlog.Query{Peer: "bob", Condition: []byte{0xc0, 0xff, 0xee, 0, 0, 0, 0x10, 1}}
	err = packetlog.Search(context.Background(), parent, q, func(p *packetlog.Packet) error {
		fmt.Println(p.Number, p.From.Peer, p.In, p.To.Peer, p.Out)
		return nil
	})
	fmt.Println(err)
	// Output:
	// 4098 alice 4097 bob 4097
	// <nil>
}
