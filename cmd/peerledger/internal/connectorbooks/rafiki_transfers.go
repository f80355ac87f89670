package connectorbooks

import "math/big"

// transferList are the transfers of one account, summed up. Amounts are in units.
type transferList struct {
	place
	account string // the id of the account that all of them have
	// deposits are deposits less withdrawals, and packets are packets to the account less packets from it.
	deposits, packets *big.Int
}

// readTransfers reads an answer of accountingTransfers. A list without transfers tells nothing: it has no account.
func (r *rafikiReader) readTransfers(d *document, v value) {
	list := transferList{place: place{d.file, v.path}, deposits: new(big.Int), packets: new(big.Int)}
	o := d.readObject(v)
	for _, side := range []struct {
		name, account string
		sign          int64
	}{{"debits", "debitAccountId", -1}, {"credits", "creditAccountId", 1}} {
		for _, item := range o.require(side.name).items {
			t := d.readObject(item)
			account, kind, state := t.text(side.account), t.text("transferType"), t.text("state")
			amount := t.unsigned("amount")
			if d.fault == nil && amount == nil {
				d.fail(joinPath(item.path, "amount"), "is missing")
			}
			if d.fault != nil {
				return
			}
			if list.account != "" && list.account != account {
				d.fail(joinPath(item.path, side.account), "is %q, and the transfers before it are of %q", account, list.account)
				return
			}
			list.account = account
			list.add(d, item, kind, state, new(big.Int).Mul(amount, big.NewInt(side.sign)))
		}
	}
	if list.account != "" {
		r.transfers = append(r.transfers, list)
	}
}

// add counts a posted transfer. Pending and voided ones move nothing.
func (l *transferList) add(d *document, v value, kind, state string, signed *big.Int) {
	switch state {
	case "POSTED":
	case "PENDING", "VOIDED":
		return
	default:
		d.fail(joinPath(v.path, "state"), "must be PENDING, POSTED or VOIDED, not %.20q", state)
		return
	}
	switch kind {
	case "DEPOSIT", "WITHDRAWAL":
		l.deposits.Add(l.deposits, signed)
	case "TRANSFER":
		l.packets.Add(l.packets, signed)
	default:
		d.fail(joinPath(v.path, "transferType"), "must be DEPOSIT, WITHDRAWAL or TRANSFER, not %.20q", kind)
	}
}

// applyTransfers separates the credit line of each peer from its position where its transfers are complete: where they add up to
// its liquidity.
func (r *rafikiReader) applyTransfers() error {
	byID := map[string]*Peer{}
	for i := range r.books.Peers {
		byID[r.books.Peers[i].SourceID] = &r.books.Peers[i]
	}
	seen := map[string]bool{}
	for _, list := range r.transfers {
		p, found := byID[list.account]
		switch {
		case !found:
			return &FaultError{list.file, list.path, "are transfers of " + list.account + ", and no file has that peer"}
		case seen[list.account]:
			return &FaultError{list.file, list.path, "are a second list of transfers of " + list.account}
		case r.liquidity[list.account] == nil:
			continue
		}
		seen[list.account] = true
		sum := new(big.Int).Add(list.deposits, list.packets)
		if liquidity := r.liquidity[list.account]; sum.Cmp(liquidity) != 0 {
			r.books.note(Assumption, p, "The peer's transfers add up to %v units, and its liquidity is %v: the list is not complete, or an amount is pending, so it is not used.", sum, liquidity)
			continue
		}
		line, position := list.deposits, list.packets
		if line.Sign() < 0 { // more was withdrawn than deposited: the rest was a payment to the peer
			line, position = new(big.Int), sum
		}
		p.CreditLine, p.Position, p.OnlySum = line, position, false
		r.books.note(Assumption, p, "Deposits less withdrawals are the credit line: %v units. Deposits that were payments of the peer are then counted as credit. Packets made the position.", line)
	}
	return nil
}
