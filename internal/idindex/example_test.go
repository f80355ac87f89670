package idindex_test

import (
	"fmt"
	"log"
	"os"

	"github.com/peerledger/peerledger/internal/idindex"
	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/ledger"
)

// A hold and a burnt id are sealed; then the end of the hold. The manifest opens the index again.
func Example() {
	path, err := os.MkdirTemp("", "ids")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(path) }()
	folder := sealed.OSFolder(path)
	hold, burnt, unknown := ledger.NewID(1, 1), ledger.NewID(2, 1), ledger.NewID(3, 1)

	x := idindex.New(folder, idindex.Options{})
	seal(x, func(s *idindex.Seal) {
		s.AddEntry(hold, idindex.Entry{Kind: idindex.KindTransfer, Position: 7})
		s.AddBurnt(burnt)
	})
	manifest := seal(x, func(s *idindex.Seal) {
		s.AddEntry(hold, idindex.Entry{Kind: idindex.KindPosted, Position: 7})
	})
	if err := x.Close(); err != nil {
		log.Fatal(err)
	}

	if err := idindex.RemoveUnnamed(folder, manifest); err != nil {
		log.Fatal(err)
	}
	x, err = idindex.Open(folder, manifest, idindex.Options{})
	if err != nil {
		log.Fatal(err) // names file and offset of a damage
	}
	may := make([]bool, 3)
	fmt.Println(x.MayHave([]ledger.ID{hold, burnt, unknown}, may), may[:2])
	for _, id := range []ledger.ID{hold, burnt, unknown} {
		entries, err := x.FindEntries(nil, id)
		fmt.Println(entries, err)
	}
	fmt.Println(x.Close())
	// Output:
	// <nil> [true true]
	// [{2 7} {0 7}] <nil>
	// [{1 0}] <nil>
	// [] <nil>
	// <nil>
}

// seal adds a run, and returns the manifest of a checkpoint.
func seal(x *idindex.Index, fill func(*idindex.Seal)) []byte {
	s := x.NewSeal(2)
	defer s.Discard()
	fill(s)
	if err := s.WriteRun(); err != nil {
		log.Fatal(err)
	}
	manifest := s.Manifest() // here the checkpoint is made durable
	s.Commit()
	return manifest
}
