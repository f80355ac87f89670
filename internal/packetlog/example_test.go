package packetlog_test

import (
	"fmt"

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
