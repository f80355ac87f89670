package bankfile

import (
	"slices"
	"strings"
	"unicode"
)

// Payer tells by which account, or by which agreed reference, a peer pays. Names of payers tell nothing.
type Payer struct {
	Peer      string `json:"peer" yaml:"peer"`
	Account   string `json:"account" yaml:"account"`     // the payer's IBAN or other number; spaces do not count
	Reference string `json:"reference" yaml:"reference"` // a word of the payer's own reference or of the text
}

// FindPeer returns the one peer whose account or reference a payment has. It returns an empty text if no payer fits, or if payers
// of several peers fit: a peer is never guessed.
func FindPeer(payers []Payer, p Payment) string {
	words := strings.FieldsFunc(p.EndToEnd+" "+p.Text, unicode.IsSpace)
	found := ""
	for _, payer := range payers {
		byAccount := removeSpaces(payer.Account) != "" && removeSpaces(payer.Account) == p.PayerAccount
		byReference := payer.Reference != "" && slices.Contains(words, payer.Reference)
		if !byAccount && !byReference {
			continue
		}
		if found != "" && found != payer.Peer {
			return ""
		}
		found = payer.Peer
	}
	return found
}

// AssignPeers sets the peers of the booked payments. A payment without a peer is listed in place of booked, so that [Book.Add]
// does not add it: the payment is booked by a later import, when its payer is configured.
//
// A file may have a payment twice, and the second is known by the first: both have the first one's peer.
func (r *Report) AssignPeers(payers []Payer) {
	var booked, known []Payment
	peers := map[string]string{} // by key
	for _, p := range r.Booked {
		if p.Peer = FindPeer(payers, p); p.Peer != "" {
			booked = append(booked, p)
			peers[p.Key] = p.Peer
			continue
		}
		r.Listed = append(r.Listed, Listed{
			At: p.At, Reason: NoPeer, Amount: p.Amount, Currency: p.Currency, Date: p.Date, Key: p.Key, OwnKey: p.Key,
			Payer: p.Payer, PayerAccount: p.PayerAccount, EndToEnd: p.EndToEnd, Text: p.Text,
		})
	}
	for _, p := range r.Known {
		if p.Peer == "" {
			p.Peer = peers[p.Key]
		}
		if p.Peer != "" { // a payment without a peer is listed already
			known = append(known, p)
		}
	}
	r.Booked, r.Known = booked, known
}
