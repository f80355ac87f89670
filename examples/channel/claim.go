package main

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/ledger"
)

// claim is a voucher of a payment channel in one direction: the payer's signature that the payee
// may take Cumulative from the channel's deposit. Cumulative includes all earlier claims.
type claim struct {
	Channel    string        `json:"channel"`
	Cumulative ledger.Amount `json:"cumulative"`
	Signature  []byte        `json:"signature"` // ed25519, of signedText
}

var errClaim = errors.New("claim refused")

// signedText returns the signed bytes. The length of the channel's name precedes the name, so two
// claims never have the same text.
func (c claim) signedText() []byte {
	text := []byte("peerledger example channel, claim 1\n")
	text = binary.BigEndian.AppendUint32(text, uint32(len(c.Channel)))
	text = append(text, c.Channel...)
	text = binary.BigEndian.AppendUint64(text, c.Cumulative.Hi)
	return binary.BigEndian.AppendUint64(text, c.Cumulative.Lo)
}

func signClaim(key ed25519.PrivateKey, channel string, cumulative ledger.Amount) claim {
	c := claim{Channel: channel, Cumulative: cumulative}
	c.Signature = ed25519.Sign(key, c.signedText())
	return c
}

// verifyClaim checks the signature, the channel and the deposit before a claim is booked.
func (c claim) verifyClaim(payer ed25519.PublicKey, channel string, deposit ledger.Amount) error {
	switch {
	case c.Channel != channel:
		return fmt.Errorf("%w: channel %q, and not %q", errClaim, c.Channel, channel)
	case !ed25519.Verify(payer, c.signedText(), c.Signature):
		return fmt.Errorf("%w: the signature is not the payer's", errClaim)
	case deposit.Less(c.Cumulative):
		return fmt.Errorf("%w: %v is more than the deposit, %v", errClaim, c.Cumulative, deposit)
	default:
		return nil
	}
}
