package doctor

import (
	"context"
	"errors"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// checkPauses reports paused rails and stopped payments.
func checkPauses(ctx context.Context, session ledger.Ledger, book *accounts.Book, r *Report) {
	pauses, err := readPauses(ctx, session, book)
	if err != nil {
		r.addFinding(BooksUnread, "payments", err.Error())
		return
	}
	var paused []string
	for _, p := range pauses {
		paused = append(paused, p.String())
	}
	if len(paused) > 0 {
		r.addFinding(PaymentsPaused, "payments", joinFirst(paused))
	}
}

// readPauses reads the pauses in force. The engine has no rail and cannot pay.
func readPauses(ctx context.Context, session ledger.Ledger, book *accounts.Book) (pauses []settlement.Pause, err error) {
	engine, err := settlement.NewEngine(session, book, settlement.Config{Manual: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, engine.Close(ctx)) }()
	return engine.Pauses(ctx)
}
