package bankfile

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
)

// returnCodes are the sub-families of bank transaction codes that mark a return.
var returnCodes = map[string]bool{"UPDD": true, "RRTN": true, "RPCR": true}

// setCamtBalances finds opening and closing balance. Interim and available balances prove nothing.
func (s *Statement) setCamtBalances(balances []camtBalance, where string) error {
	found := map[string]*Balance{}
	for _, b := range balances {
		code := strings.TrimSpace(b.Code)
		if code != "OPBD" && code != "PRCD" && code != "CLBD" {
			continue
		}
		if found[code] != nil {
			return refuse(RefusedBalance, where, "two balances %s", code)
		}
		if len(b.Amount) != 1 {
			return refuse(RefusedBalance, where, "balance %s has %d amounts", code, len(b.Amount))
		}
		amount, ok := parseAmount(strings.TrimSpace(b.Amount[0].Text))
		if !ok {
			return refuse(RefusedAmount, where, "balance %s: %q is no amount", code, b.Amount[0].Text)
		}
		date, ok := cutDate(b.Date.text())
		if !ok {
			return refuse(RefusedNotWellFormed, where, "balance %s: %q is no date", code, b.Date.text())
		}
		switch strings.TrimSpace(b.Mark) {
		case "CRDT", "":
		case "DBIT":
			amount = amount.Neg()
		default:
			return refuse(RefusedNotWellFormed, where, "balance %s: mark %q", code, b.Mark)
		}
		found[code] = &Balance{Amount: amount, Currency: b.Amount[0].Currency, Date: date}
	}
	s.Opening, s.Closing = found["OPBD"], found["CLBD"]
	if s.Opening == nil {
		s.Opening = found["PRCD"]
	}
	return nil
}

// setMissingDates gives entries without a booking date the closing balance's date, else the date of creation.
func (s *Statement) setMissingDates(created string) error {
	for i := range s.Entries {
		e := &s.Entries[i]
		if e.Date != "" {
			continue
		}
		if s.Closing != nil {
			e.Date = s.Closing.Date
			continue
		}
		date, ok := cutDate(created)
		if !ok {
			return refuse(RefusedNotWellFormed, e.At, "no booking date, no closing balance and no date of creation")
		}
		e.Date = date
	}
	return nil
}

func (r *camtReader) readEntry(s *Statement, number int, start xml.StartElement) error {
	line, _ := r.tokens.raw.InputPos()
	var x camtEntry
	if err := r.decoder.DecodeElement(&x, &start); err != nil {
		return err
	}
	return atLine(r.addEntry(s, number, x), line)
}

func (r *camtReader) addEntry(s *Statement, number int, x camtEntry) error {
	e := Entry{Place: len(s.Entries) + 1}
	e.At = fmt.Sprintf("statement %d entry %d", number, e.Place)
	if len(x.Amount) != 1 || len(x.Mark) != 1 || max(len(x.Reversal), len(x.Status), len(x.Booked), len(x.Valued), len(x.Reference)) > 1 {
		return refuse(RefusedNotWellFormed, e.At, "an element is missing, or there are two")
	}
	var ok bool
	e.Written, e.Currency = strings.TrimSpace(x.Amount[0].Text), strings.TrimSpace(x.Amount[0].Currency)
	if e.Amount, ok = parseAmount(e.Written); !ok {
		return refuse(RefusedAmount, e.At, "%q is no amount", e.Written)
	}
	if e.Credit, ok = parseMark(x.Mark[0]); !ok {
		return refuse(RefusedNotWellFormed, e.At, "mark %q", x.Mark[0])
	}
	e.Reversal = isTrue(firstOf(x.Reversal))
	e.Return = returnCodes[strings.TrimSpace(x.Code.SubFamily)] && e.Credit
	e.Reference = strings.TrimSpace(firstOf(x.Reference))
	e.Status = r.readStatus(x.Status)
	for _, d := range []struct {
		from []camtDate
		to   *string
	}{{x.Booked, &e.Date}, {x.Valued, &e.ValueDate}} {
		if len(d.from) == 0 {
			continue
		}
		if *d.to, ok = cutDate(d.from[0].text()); !ok {
			return refuse(RefusedNotWellFormed, e.At, "%q is no date", d.from[0].text())
		}
	}
	if err := e.addDetails(x); err != nil {
		return err
	}
	s.Entries = append(s.Entries, e)
	return nil
}

// readStatus reads an entry's status. Only a statement is booked without one.
func (r *camtReader) readStatus(statuses []camtStatus) Status {
	if len(statuses) == 0 {
		if r.file.Kind == Camt053 {
			return Booked
		}
		return NoStatus
	}
	s := statuses[0]
	switch strings.TrimSpace(s.Code + s.Proprietary + strings.TrimSpace(s.Text)) {
	case "BOOK":
		return Booked
	case "PDNG", "FUTR":
		return Pending
	case "INFO":
		return Information
	}
	return NoStatus
}

// addDetails adds the payments of an entry. They may lie in several groups.
func (e *Entry) addDetails(x camtEntry) error {
	charges := x.Charges
	for _, batch := range x.Batches {
		if text := strings.TrimSpace(batch.Payments); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 0 || n > 1e9 {
				return refuse(RefusedNotWellFormed, e.At, "number of payments %q", text)
			}
			e.Payments += n
		}
		for _, d := range batch.Details {
			detail, err := d.read(e)
			if err != nil {
				return err
			}
			e.Return = e.Return || d.Return != nil || e.Credit && returnCodes[strings.TrimSpace(d.Code.SubFamily)]
			e.Details = append(e.Details, detail)
		}
	}
	if len(e.Details) == 1 {
		e.Details[0].Charge = describeCharges(append(charges, x.Batches[firstWithDetails(x.Batches)].Details[0].Charges...))
	}
	return nil
}

func firstWithDetails(batches []camtBatch) int {
	for i, b := range batches {
		if len(b.Details) > 0 {
			return i
		}
	}
	return 0
}

func (d camtDetail) read(e *Entry) (Detail, error) {
	if max(len(d.Reference), len(d.EndToEnd), len(d.TxID), len(d.UETR), len(d.Amount), len(d.TxAmount), len(d.Mark)) > 1 {
		return Detail{}, refuse(RefusedNotWellFormed, e.At, "a detail has an element twice")
	}
	out := Detail{
		Reference: strings.TrimSpace(firstOf(d.Reference)), UETR: strings.TrimSpace(firstOf(d.UETR)), TxID: strings.TrimSpace(firstOf(d.TxID)),
		BIC: strings.TrimSpace(d.BICFI + d.BIC), EndToEnd: cleanReference(firstOf(d.EndToEnd)),
		Payer: strings.TrimSpace(d.Payer.Name), PayerAccount: d.Account.text(),
	}
	if out.Payer == "" {
		out.Payer = strings.TrimSpace(d.Payer.PartyName)
	}
	var creditor, texts []string
	for _, ref := range d.Creditor {
		if ref = strings.TrimSpace(ref); ref != "" {
			creditor = append(creditor, ref)
		}
	}
	for _, text := range d.Texts {
		if text = strings.TrimSpace(text); text != "" {
			texts = append(texts, text)
		}
	}
	out.CreditorReference = strings.Join(creditor, " ")
	out.Text = strings.Join(append(texts, creditor...), " ")
	amounts := d.Amount
	if len(amounts) == 0 {
		amounts = d.TxAmount
	}
	if len(amounts) == 1 {
		text, ok := strings.TrimSpace(amounts[0].Text), false
		if out.Amount, ok = parseAmount(text); !ok {
			return Detail{}, refuse(RefusedAmount, e.At, "detail: %q is no amount", text)
		}
		out.HasAmount, out.Currency = true, strings.TrimSpace(amounts[0].Currency)
	}
	if len(d.Mark) == 1 {
		credit, ok := parseMark(d.Mark[0])
		if !ok {
			return Detail{}, refuse(RefusedNotWellFormed, e.At, "detail: mark %q", d.Mark[0])
		}
		out.Debit = !credit
	} else {
		out.Debit = !e.Credit
	}
	return out, nil
}

// describeCharges returns the charges that the entry's amount is already without.
func describeCharges(charges []camtCharge) string {
	var out []string
	for _, c := range charges {
		if isTrue(c.Included) {
			out = append(out, strings.TrimSpace(c.Amount.Text)+" "+strings.TrimSpace(c.Amount.Currency))
		}
	}
	return strings.Join(out, ", ")
}

func parseMark(text string) (credit, ok bool) {
	text = strings.TrimSpace(text)
	return text == "CRDT", text == "CRDT" || text == "DBIT"
}

func isTrue(text string) bool {
	text = strings.TrimSpace(text)
	return text == "true" || text == "1"
}

func firstOf(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	return texts[0]
}
