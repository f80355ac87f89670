package wal_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/peerledger/peerledger/internal/wal"
)

// A counter that survives: each change is acknowledged when it is on disk.
func Example() {
	path, err := os.MkdirTemp("", "counter")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(path) }()
	const kindAdd, kindSum = 1, 2

	for range 3 {
		sum := 0
		restore := func(r wal.Record) error {
			switch r.Kind {
			case kindSum:
				sum = int(r.Data[0])
			case kindAdd:
				sum += int(r.Data[0])
			}
			return nil
		}
		l, recovery, err := wal.Open(path, restore)
		if err != nil {
			log.Fatal(err) // names file and offset of a damage
		}
		fmt.Printf("%d after %d and %d records, torn: %v\n",
			sum, recovery.CheckpointRecords, recovery.Records, recovery.Torn != nil)

		for n := range 3 {
			sum += n + 1
			position := l.Append(kindAdd, 1, func(to []byte) []byte { return append(to, byte(n+1)) })
			if err := l.Wait(context.Background(), position); err != nil {
				log.Fatal(err) // whether the record is on disk is unknown
			}
		}
		if l.SinceCheckpoint() > 100 {
			if err := checkpoint(l.Checkpoint(), kindSum, byte(sum)); err != nil {
				log.Fatal(err)
			}
		}
		if err := l.Close(); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// 0 after 0 and 0 records, torn: false
	// 6 after 0 and 3 records, torn: false
	// 12 after 1 and 0 records, torn: false
}

func checkpoint(c *wal.Checkpoint, kind uint8, sum byte) error {
	defer func() { _ = c.Discard() }()
	if err := c.Append(kind, []byte{sum}); err != nil {
		return err
	}
	return c.Commit(context.Background())
}
