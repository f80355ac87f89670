package ledgertest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

func parseBalances(at origin, w *arguments, _ []string) (step, error) {
	s := balancesStep{at: at}
	id, err := w.readNumber("id")
	if err != nil {
		return nil, err
	}
	s.id = ledger.ID(id)
	if slices.Equal(w.words, []string{"none"}) {
		s.none, w.words = true, nil
		return s, nil
	}
	for i := range s.want {
		n, err := w.readNumber("balance")
		if err != nil {
			return nil, err
		}
		s.want[i] = ledger.Amount(n)
	}
	if len(w.words) > 0 && (w.words[0] == "open" || w.words[0] == "closed") {
		s.state, w.words = w.words[0], w.words[1:]
	}
	return s, nil
}

func parseStored(at origin, w *arguments, _ []string) (step, error) {
	s := storedStep{want: transferEvent{at: at}}
	id, err := w.readNumber("id")
	if err != nil {
		return nil, err
	}
	s.want.ID = ledger.ID(id)
	if slices.Equal(w.words, []string{"none"}) {
		s.none, w.words = true, nil
		return s, nil
	}
	amount, err := w.readNumber("amount")
	if err != nil {
		return nil, err
	}
	s.want.Amount = ledger.Amount(amount)
	fields := transferFields(&s.want.Transfer)
	fields["ts"] = &s.want.scriptTime
	s.named, err = w.assignFields(fields)
	return s, err
}

// sideFlags maps the letters for sides to flags.
var sideFlags = map[rune]ledger.AccountFilterFlags{
	'd': ledger.AccountFilterDebits, 'c': ledger.AccountFilterCredits, 'r': ledger.AccountFilterReversed,
}

// parseAccountFilter reads account, sides, limit and the fields of the filter.
func parseAccountFilter(at origin, w *arguments) (f accountFilter, err error) {
	f.at = at
	id, err := w.readNumber("account")
	if err != nil {
		return f, err
	}
	letters, err := w.nextWord("sides")
	if err != nil {
		return f, err
	}
	for _, letter := range letters {
		if sideFlags[letter] == 0 {
			return f, fmt.Errorf("unknown side %q", letter)
		}
		f.Flags |= sideFlags[letter]
	}
	f.AccountID = ledger.ID(id)
	if err := w.readField("limit", &f.Limit); err != nil {
		return f, err
	}
	_, err = w.assignFields(map[string]any{
		"c": &f.Code, "u128": &f.UserData128, "u64": &f.UserData64, "u32": &f.UserData32,
		"min": &f.from, "max": &f.to,
	})
	return f, err
}

func parseAccountTransfers(at origin, w *arguments, want []string) (step, error) {
	f, err := parseAccountFilter(at, w)
	if err != nil {
		return nil, err
	}
	ids, err := parseIDs(want)
	return accountTransfersStep{f, ids}, err
}

func parseAccountBalances(at origin, w *arguments, want []string) (step, error) {
	f, err := parseAccountFilter(at, w)
	if err != nil {
		return nil, err
	}
	s := accountBalancesStep{accountFilter: f}
	if isEmpty(want) {
		return s, nil
	}
	for _, word := range want {
		n, err := parseNumbers(word, "/")
		if err != nil || len(n) != 4 {
			return nil, fmt.Errorf("%q is not debits pending/posted/credits pending/posted", word)
		}
		s.want = append(s.want, balances{
			ledger.Amount(n[0]), ledger.Amount(n[1]), ledger.Amount(n[2]), ledger.Amount(n[3]),
		})
	}
	return s, nil
}

// parseQueryFilter reads the limit, r for reversed, and the fields of the filter.
func parseQueryFilter(at origin, w *arguments) (f queryFilter, err error) {
	f.at = at
	if err := w.readField("limit", &f.Limit); err != nil {
		return f, err
	}
	if i := slices.Index(w.words, "r"); i >= 0 {
		f.Flags = ledger.QueryFilterReversed
		w.words = slices.Delete(w.words, i, i+1)
	}
	_, err = w.assignFields(map[string]any{
		"l": &f.Ledger, "c": &f.Code, "u128": &f.UserData128, "u64": &f.UserData64, "u32": &f.UserData32,
		"min": &f.from, "max": &f.to,
	})
	if err == nil && f.Ledger == 0 {
		err = errors.New("a query needs l=, or would find objects of other scenarios")
	}
	return f, err
}

func parseQueryTransfers(at origin, w *arguments, want []string) (step, error) {
	f, err := parseQueryFilter(at, w)
	if err != nil {
		return nil, err
	}
	ids, err := parseIDs(want)
	return queryTransfersStep{f, ids}, err
}

func parseQueryAccounts(at origin, w *arguments, want []string) (step, error) {
	f, err := parseQueryFilter(at, w)
	if err != nil {
		return nil, err
	}
	ids, err := parseIDs(want)
	return queryAccountsStep{f, ids}, err
}

// eventTypes are the words for change events.
var eventTypes = map[string]ledger.ChangeEventType{
	"singlephase": ledger.ChangeEventSinglePhase,
	"pending":     ledger.ChangeEventTwoPhasePending,
	"posted":      ledger.ChangeEventTwoPhasePosted,
	"voided":      ledger.ChangeEventTwoPhaseVoided,
	"expired":     ledger.ChangeEventTwoPhaseExpired,
}

func parseEvents(at origin, w *arguments, _ []string) (step, error) {
	s := eventsStep{at: at}
	if dash, err := w.nextWord("-"); err != nil || dash != "-" {
		return nil, errors.New("a dash comes first")
	}
	for _, word := range w.words {
		name, rest, _ := strings.Cut(word, ":")
		kind, ok := eventTypes[name]
		n, err := parseNumbers(rest, ":")
		if !ok || err != nil || len(n) != 3 {
			return nil, fmt.Errorf("%q is not type:transfer:amount:pending id", word)
		}
		s.want = append(s.want, expectedChange{kind, ledger.ID(n[0]), ledger.Amount(n[1]), ledger.ID(n[2])})
	}
	w.words = nil
	return s, nil
}

func parseSleep(_ origin, w *arguments, _ []string) (step, error) {
	word, err := w.nextWord("milliseconds")
	if err != nil {
		return nil, err
	}
	ms, err := strconv.ParseUint(word, 10, 32)
	return sleepStep(time.Duration(ms) * time.Millisecond), err
}

func isEmpty(want []string) bool { return slices.Equal(want, []string{"empty"}) }

// parseIDs reads the ids of an answer, or the word empty.
func parseIDs(want []string) ([]ledger.ID, error) {
	ids := []ledger.ID{}
	if isEmpty(want) {
		return ids, nil
	}
	for _, word := range want {
		n, err := parseNumber(word)
		if err != nil {
			return nil, err
		}
		ids = append(ids, ledger.ID(n))
	}
	return ids, nil
}
