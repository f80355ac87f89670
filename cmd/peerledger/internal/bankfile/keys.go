package bankfile

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

var bic = regexp.MustCompile(`^[A-Z0-9]{8}`)

// joinKey joins the pieces of a key. A slash within a piece is escaped, so that no two lists of pieces make one key, and an
// invisible character too: no key of a payment may end with one.
func joinKey(pieces ...string) string {
	escaped := make([]string, len(pieces))
	for i, p := range pieces {
		escaped[i] = escapePiece(strings.TrimSpace(p))
	}
	return strings.Join(escaped, "/")
}

func escapePiece(text string) string {
	var out strings.Builder
	for _, r := range text {
		if r != '%' && r != '/' && unicode.IsPrint(r) {
			out.WriteRune(r)
			continue
		}
		for _, b := range []byte(string(r)) {
			fmt.Fprintf(&out, "%%%02X", b)
		}
	}
	return out.String()
}

// keys makes the keys of one statement.
type keys struct {
	account Account
	kind    Kind
	uses    map[string]int // booked credits of the statement by candidate key
	chain   []string       // the pieces of chain keys; nil if the statement must not be booked by place
}

// newKeys counts the references of a statement. A reference of two booked credits is no reference for either. Debits do not
// count: a charge often has the reference of its payment.
func newKeys(account Account, kind Kind, s Statement) *keys {
	k := &keys{account: account, kind: kind, uses: map[string]int{}}
	for _, e := range s.Entries {
		if e.Status != Booked || !e.Credit || e.Amount.IsZero() || kind == CSV && !account.hasRow(e) {
			continue
		}
		if key := k.ofReference(e); key != "" {
			k.uses[key]++
		}
		for _, d := range e.Details {
			for _, key := range k.ofDetail(d) {
				k.uses[key]++
			}
		}
	}
	return k
}

func (k *keys) join(pieces ...string) string {
	return joinKey(append([]string{removeSpaces(k.account.ID), k.account.Currency}, pieces...)...)
}

// ofReference returns the key by the entry's reference, or an empty one.
func (k *keys) ofReference(e Entry) string {
	ref := cleanReference(e.Reference)
	if ref == "" {
		return ""
	}
	if k.kind == CSV {
		return k.join("csv", ref)
	}
	if k.kind == MT940 { // the reference may be cut to 16, so date and amount belong to it
		units, ok := formatUnits(e.Amount, k.account.Scale)
		if !ok {
			return ""
		}
		return k.join("mt940", e.Date, units, ref)
	}
	return k.join("entry", ref)
}

// ofDetail returns the keys by a payment's references, the best one first.
func (k *keys) ofDetail(d Detail) []string {
	var out []string
	if ref := cleanReference(d.Reference); ref != "" {
		out = append(out, k.join("detail", ref))
	}
	if ref := cleanReference(d.UETR); ref != "" {
		out = append(out, k.join("uetr", strings.ToLower(ref)))
	}
	if ref := cleanReference(d.TxID); ref != "" && bic.MatchString(d.BIC) {
		out = append(out, k.join("tx", d.BIC[:8], ref))
	}
	return out
}

// ofPlace returns the key by the place in a proven statement, or an empty one.
func (k *keys) ofPlace(place string) string {
	if k.chain == nil {
		return ""
	}
	return k.join(append(append([]string{"chain"}, k.chain...), place)...)
}

// ofEntry returns the key of a whole entry, or an empty one. byReference tells that the entry's own reference made the key.
func (k *keys) ofEntry(e Entry) (key string, byReference bool) {
	if key := k.ofReference(e); key != "" && k.uses[key] == 1 {
		return key, true
	}
	if len(e.Details) == 1 {
		if key := k.firstOnce(e.Details[0]); key != "" {
			return key, false
		}
	}
	return k.ofPlace(strconv.Itoa(e.Place)), false
}

// firstOnce returns the best key of a payment that no other payment of the statement has.
func (k *keys) firstOnce(d Detail) string {
	for _, key := range k.ofDetail(d) {
		if k.uses[key] == 1 {
			return key
		}
	}
	return ""
}

// ofParts returns the keys of a batch's parts. units has the parts' amounts. entryKey is empty where the entry's reference is
// not usable.
func (k *keys) ofParts(e Entry, entryKey string, units []string) []string {
	out := make([]string, len(e.Details))
	if entryKey == "" {
		for i, d := range e.Details {
			if out[i] = k.firstOnce(d); out[i] == "" {
				out[i] = k.ofPlace(strconv.Itoa(e.Place) + "." + strconv.Itoa(i+1))
			}
		}
		return out
	}
	uses := map[string]int{}
	for _, d := range e.Details {
		uses["part/"+cleanReference(d.Reference)]++
		uses["tx/"+cleanReference(d.TxID)]++
	}
	alike := map[string]int{}
	for i, d := range e.Details {
		same := joinKey("alike", units[i], d.PayerAccount, d.EndToEnd, d.CreditorReference)
		alike[same]++
		part, tx := cleanReference(d.Reference), cleanReference(d.TxID)
		switch {
		case part != "" && uses["part/"+part] == 1:
			out[i] = entryKey + "/" + joinKey(part)
		case tx != "" && uses["tx/"+tx] == 1:
			out[i] = entryKey + "/tx/" + joinKey(tx)
		default:
			out[i] = entryKey + "/" + same + "/" + strconv.Itoa(alike[same])
		}
	}
	return out
}
