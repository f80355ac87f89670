package packetlog

import "encoding/binary"

// footer says what an archive file has, and where.
type footer struct {
	parties []chunk      // the table of parties, in the order of their indexes
	rounds  []roundChunk // in the order of writing
	blocks  []blockPlace
	groups  []group
}

// roundChunk is a part of the table of rounds.
type roundChunk struct {
	chunk
	count  int
	number span // of the rounds
	at     span // the ledger's timestamps
}

// blockPlace is a block of a file.
type blockPlace struct {
	chunk
	packets                  int
	resolved, expiry, number span // of the packets; number of the fulfills alone
}

// group is the index of the blocks behind those of the group before it.
type group struct {
	blocks                   int
	ids, conditions, parties chunk // directories of postings
}

func (f *footer) appendTo(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(f.parties)))
	for _, c := range f.parties {
		b = appendChunk(b, c)
	}
	b = binary.AppendUvarint(b, uint64(len(f.rounds)))
	for i := range f.rounds {
		c := &f.rounds[i]
		b = binary.AppendUvarint(appendChunk(b, c.chunk), uint64(c.count))
		b = appendSpan(appendSpan(b, c.number), c.at)
	}
	b = binary.AppendUvarint(b, uint64(len(f.blocks)))
	for i := range f.blocks {
		k := &f.blocks[i]
		b = binary.AppendUvarint(appendChunk(b, k.chunk), uint64(k.packets))
		b = appendSpan(appendSpan(appendSpan(b, k.resolved), k.expiry), k.number)
	}
	b = binary.AppendUvarint(b, uint64(len(f.groups)))
	for _, g := range f.groups {
		b = binary.AppendUvarint(b, uint64(g.blocks))
		b = appendChunk(appendChunk(appendChunk(b, g.ids), g.conditions), g.parties)
	}
	return b
}

func appendSpan(b []byte, s span) []byte {
	if !s.seen {
		return append(b, 0)
	}
	b = binary.AppendVarint(append(b, 1), s.low)
	return binary.AppendUvarint(b, uint64(s.high-s.low))
}

func (c *cursor) span() (s span) {
	if c.uint() == 1 {
		s = span{low: c.int(), seen: true}
		s.high = s.low + int64(c.uint())
		c.bad = c.bad || s.high < s.low
	}
	return s
}

// readFooter returns false for bytes that are no footer.
func readFooter(data []byte) (f footer, ok bool) {
	c := cursor{rest: data}
	f.parties = make([]chunk, c.count())
	for i := range f.parties {
		f.parties[i] = c.chunk()
	}
	f.rounds = make([]roundChunk, c.count())
	for i := range f.rounds {
		f.rounds[i] = roundChunk{c.chunk(), c.atMost(maxRawChunk), c.span(), c.span()}
	}
	f.blocks = make([]blockPlace, c.count())
	for i := range f.blocks {
		f.blocks[i] = blockPlace{c.chunk(), c.atMost(packetsPerBlock), c.span(), c.span(), c.span()}
	}
	f.groups = make([]group, c.count())
	blocks := 0
	for i := range f.groups {
		f.groups[i] = group{c.atMost(blocksPerGroup), c.chunk(), c.chunk(), c.chunk()}
		blocks += f.groups[i].blocks
	}
	return f, c.isRead() && blocks == len(f.blocks)
}
