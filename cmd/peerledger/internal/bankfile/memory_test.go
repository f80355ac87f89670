//go:build !race

// The race detector needs memory of its own, and finds nothing in a reader on one goroutine.

package bankfile

import (
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type hugeFile struct {
	start, repeated string
	mapping         *Mapping
}

// hugeFiles are files of nearly the greatest size that make a careless reader keep many times their size in memory.
var hugeFiles = map[string]hugeFile{
	"attributes":           {camtStart + "<Stmt", ` a=""`, nil},
	"attributes, Latin-1":  {`<?xml version="1.0" encoding="iso-8859-1"?>` + camtStart + "<Stmt", ` a=""`, nil},
	"one text":             {camtStart + "<Stmt><Id>", "x", nil},
	"space":                {camtStart + "<Stmt>", " ", nil},
	"nested":               {camtStart, "<a>", nil},
	"small elements":       {camtStart + "<Stmt>", "<a></a>", nil},
	"lines of MT940":       {":20:X\n:25:1\n:86:x\n", "a\n", nil},
	"empty lines of MT940": {":20:X\n:25:1\n", "\n", nil},
	"one line of MT940":    {":20:X\n:25:1\n:86:x", "x", nil},
	"fields of MT940":      {":20:X\n:25:1\n", ":86:\n", nil},
	"columns":              {"d,a", ",", hugeMapping},
	"quoted columns":       {"d,a", ",\"\n\"", hugeMapping},
	"one quoted field":     {"d,a\n\"", "\n", hugeMapping},
}

var hugeMapping = &Mapping{Date: "YYYY-MM-DD", Columns: map[string]string{"date": "d", "amount": "a"}}

func (c hugeFile) build() []byte {
	return []byte(c.start + strings.Repeat(c.repeated, (MaxSize-len(c.start))/len(c.repeated)))
}

// measurePeak returns the most bytes of the heap in use while work runs, with what the collector has not yet freed.
func measurePeak(work func()) uint64 {
	runtime.GC()
	done, peak := make(chan struct{}), make(chan uint64)
	go func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		most, sample := uint64(0), []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		for {
			metrics.Read(sample)
			most = max(most, sample[0].Value.Uint64())
			select {
			case <-done:
				peak <- most
				return
			case <-tick.C:
			}
		}
	}()
	work()
	close(done)
	return <-peak
}

// A file of the greatest size is read, or refused, in a memory of a few times its size.
func TestMemoryIsBounded(t *testing.T) { //nolint:paralleltest // the memory of other tests would count
	for name, c := range hugeFiles {
		data := c.build()
		var err error
		peak := measurePeak(func() { _, err = Parse(t.Context(), data, c.mapping) })
		t.Logf("%s: %d MiB: %v", name, peak>>20, err)
		require.Less(t, peak, uint64(5*MaxSize), name)
		if name != "empty lines of MT940" {
			var refused *RefusedError
			require.ErrorAs(t, err, &refused, name)
		}
	}
}

// A statement is decided in a few times its size, too. PEERLEDGER_BANK_MIB is the size, up to 64.
func TestMemoryOfAStatement(t *testing.T) { //nolint:paralleltest // the memory of other tests would count
	size := 8 << 20
	if text := os.Getenv("PEERLEDGER_BANK_MIB"); text != "" {
		n, err := strconv.Atoi(text)
		require.NoError(t, err)
		size = n << 20
	}
	var text strings.Builder
	n := 0
	for ; text.Len() < size-2000 && n < maxItems/2-1; n++ {
		entry := replace(camtCredit, ">A<", fmt.Sprintf(">A%d<", n), "</Ntry>", "<NtryDtls><TxDtls><Refs><EndToEndId>NOTPROVIDED</EndToEndId></Refs><RltdPties><Dbtr><Nm>A debtor</Nm></Dbtr>"+
			"<DbtrAcct><Id><IBAN>NL47TEST0000000009</IBAN></Id></DbtrAcct></RltdPties><RmtInf><Ustrd>"+strings.Repeat("x", 240)+"</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>")
		text.WriteString(entry)
	}
	data := []byte(camtStatement(text.String()))
	begin := time.Now()
	var report Report
	peak := measurePeak(func() {
		file, err := Parse(t.Context(), data, nil)
		require.NoError(t, err)
		report, err = Decide(file, camtTestAccount, &Book{})
		require.NoError(t, err)
	})
	t.Logf("%d MiB, %d entries: %d MiB in %v", len(data)>>20, n, peak>>20, time.Since(begin))
	require.Len(t, report.Booked, n)
	require.Less(t, peak, uint64(8*size))
}
