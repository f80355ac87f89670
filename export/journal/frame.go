package journal

import (
	"time"

	"github.com/peerledger/peerledger/export"
)

// addTitle adds comments about the export, in the form that all programs take.
func addTitle(o *output, h *export.Header) {
	o.addf("; peerledger export, part %d, from %s to %s", h.Part, rangeEnd(h.From, "the beginning"), rangeEnd(h.To, "the end"))
	if h.Last != 0 {
		o.add(", of the moment ", timeText(h.Last))
	}
	o.add("\n")
}

func rangeEnd(t time.Time, open string) string {
	if t.IsZero() {
		return open
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// addTotals adds the control totals as comments.
func addTotals(o *output, h *export.Header, s *export.Summary) {
	o.add("\n")
	for i, total := range s.Totals {
		o.addf("; total of %q at scale %d: %d entries of %d transfers, amounts %s\n",
			h.Assets[i].Code, h.Assets[i].Scale, total.Entries, total.Transfers, bigText(total.Amounts, h.Assets[i].Scale))
	}
}
