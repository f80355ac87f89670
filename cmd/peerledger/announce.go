package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

func (a *app) newAnnounceCommand(asset *string) *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use: "announce peer amount --key name", Short: "Note a payment of a peer that is not final yet",
		Long: `Notes a payment that was seen and can still fail, once for its key. It is shown and counts
for nothing else, until settle received books it under the same key, or settle failed says
that it will not come.`,
		Args: exactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withEngine(cmd.Context(), nil, func(s *session, engine *settlement.Engine) error {
				p, err := s.parseNonzeroPayment(cmd.Context(), args[0], args[1], *asset)
				if err != nil {
					return err
				}
				c := change{
					Action: "announce a payment", Peer: p.account.Peer(), Asset: p.asset.String(), Amount: p.asset.Format(p.amount), Key: key, peerPrefix: " from ",
				}
				if _, err := s.addPreview(cmd.Context(), &c, p.account, p.amount, describeAnnouncement); err != nil {
					return err
				}
				switch known, err := engine.FindPayment(cmd.Context(), p.account, key); {
				case err == nil:
					c.Effect = describeKnownPayment(known, p.amount)
				case !errors.Is(err, settlement.ErrNoAnnouncement):
					return err
				}
				return a.previewOrWrite(c, func(c *change) error {
					got, err := engine.Announce(cmd.Context(), settlement.IncomingPayment{Account: p.account, Key: key, Amount: p.amount})
					c.Already, c.Transfer = got.AlreadyAnnounced, got.Transfer.String()
					if got.State != settlement.AnnouncementOpen {
						c.Note = fmt.Sprintf("The payment is known already: %s.", got.State)
					}
					return err
				})
			})
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "the `name` of the payment: the same when it is received or has failed")
	_ = cmd.MarkFlagRequired("key") // it is defined, so there is no error
	a.addYesFlag(cmd)
	return cmd
}

// describeAnnouncement is the effect of an announcement.
func describeAnnouncement(b accounts.Balance, _ ledger.Amount) string {
	text := "It is shown, and counts for nothing until it is received."
	if b.Closed {
		text += " The peer's account is closed: when it is received, it waits in our suspense account."
	}
	return text
}

// describeKnownPayment is the effect of an announcement of a payment that the ledger knows.
func describeKnownPayment(known settlement.Announcement, amount ledger.Amount) string {
	switch {
	case known.State != settlement.AnnouncementOpen:
		return fmt.Sprintf("Nothing will be announced: the payment is known already, as %s.", known.State)
	case known.Amount != amount:
		return fmt.Sprintf("It will be refused: %s is announced under this key. Leave it: settle received books what came.", known.Asset.Text(known.Amount))
	default:
		return "It is announced already: nothing will change."
	}
}

// describeFailure is the effect of saying that a payment failed, by what the ledger knows of it, or by
// the error of finding that out. unknown is the effect where it knows nothing.
func describeFailure(known settlement.Announcement, err error, unknownText string) (string, error) {
	switch {
	case errors.Is(err, settlement.ErrNoAnnouncement):
		return unknownText, nil
	case err != nil:
		return "", err
	case known.State == settlement.AnnouncementReceived:
		return "It will be refused: the payment was received. If it came back, give settle returned.", nil
	case known.State == settlement.AnnouncementFailed:
		return "It has failed already: nothing will change.", nil
	default:
		return fmt.Sprintf("It ends the announcement of %s.", known.Asset.Text(known.Amount)), nil
	}
}

func (a *app) newFailedCommand(asset *string) *cobra.Command {
	var key, id string
	cmd := &cobra.Command{
		Use: "failed peer {--key name | --announcement id}", Short: "Say that an announced payment will not come",
		Long: `Ends the announcement of a payment that will not come, by the key of the payment or by the
id that settle announced shows. If the payment comes all the same, settle received books it.`,
		Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (key == "") == (id == "") {
				return fmt.Errorf("%w: give one of --key and --announcement", errUsage)
			}
			return a.withEngine(cmd.Context(), nil, func(s *session, engine *settlement.Engine) error {
				account, found, err := s.parseAccount(cmd.Context(), args[0], *asset)
				if err != nil {
					return err
				}
				ctx, unknownText := cmd.Context(), "Nothing is announced under this key. Who announces it later is told that it has failed."
				fail := func() (settlement.Announcement, error) { return engine.Fail(ctx, account, key) }
				find := func() (settlement.Announcement, error) { return engine.FindPayment(ctx, account, key) }
				if id != "" {
					announcement, err := ledger.ParseID(id)
					if err != nil {
						return fmt.Errorf("%w: announcement %q: %w", errUsage, id, err)
					}
					unknownText = "It will be refused: there is no such announcement of the peer."
					fail = func() (settlement.Announcement, error) { return engine.FailAnnouncement(ctx, account, announcement) }
					find = func() (settlement.Announcement, error) { return engine.FindAnnouncement(ctx, account, announcement) }
				}
				c := change{Action: "note that a payment has failed", Peer: account.Peer(), Asset: found.String(), Payment: key, Transfer: id, peerPrefix: " from "}
				b, err := s.book.Balance(ctx, account)
				if err != nil {
					return err
				}
				known, err := find()
				if c.Effect, err = describeFailure(known, err, unknownText); err != nil {
					return err
				}
				c.Effect += fmt.Sprintf(" Payments of %s are announced in all. Nothing is booked.", found.Text(b.Announced))
				return a.previewOrWrite(c, func(c *change) error {
					got, err := fail()
					c.Already, c.Transfer = got.AlreadyAnnounced, got.Transfer.String()
					if err == nil {
						c.Amount = found.Format(got.Amount)
					}
					return err
				})
			})
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "the `name` of the payment")
	cmd.Flags().StringVar(&id, "announcement", "", "the `id` of the announcement")
	a.addYesFlag(cmd)
	return cmd
}

// announcementRow is an open announcement as it is shown.
type announcementRow struct {
	Peer         string `json:"peer"`
	Asset        string `json:"asset"`
	Announcement string `json:"announcement"` // the id
	Amount       string `json:"amount"`
	Announced    string `json:"announced"`
	Age          string `json:"age"`
}

func (a *app) newAnnouncedCommand(asset *string) *cobra.Command {
	return &cobra.Command{
		Use: "announced [peer...]", Short: "Payments that are announced, and neither received nor failed",
		Long: `Shows the payments of these peers, or of all that are configured, that were announced and of
which nobody has said yet that they were received or have failed. Nothing ends them by
itself: ask the rail what became of an old one, and give settle received or settle failed.`,
		Example: "  peerledger settle announced\n  peerledger settle announced alice --json",
		Args:    rangeArgs(0, -1),
		RunE: func(cmd *cobra.Command, names []string) error {
			return a.withEngine(cmd.Context(), nil, func(s *session, engine *settlement.Engine) error {
				list, err := s.parseAccounts(cmd.Context(), names, *asset)
				if err != nil {
					return err
				}
				open, err := engine.Announcements(cmd.Context(), list...)
				if err != nil {
					return err
				}
				rows := make([]announcementRow, len(open))
				for i, announcement := range open {
					rows[i] = announcementRow{
						Peer: announcement.Account.Peer(), Asset: announcement.Asset.String(), Announcement: announcement.Transfer.String(), Amount: announcement.Asset.Format(announcement.Amount),
						Announced: formatTime(announcement.AnnouncedAt), Age: announcement.Age(time.Now()).Round(time.Second).String(),
					}
				}
				return printRows(a, rows,
					column[announcementRow]{title: "peer", cell: func(r announcementRow) string { return r.Peer }},
					column[announcementRow]{title: "asset", cell: func(r announcementRow) string { return r.Asset }},
					column[announcementRow]{title: "announcement", cell: func(r announcementRow) string { return r.Announcement }},
					column[announcementRow]{title: "amount", cell: func(r announcementRow) string { return r.Amount }, right: true},
					column[announcementRow]{title: "announced (UTC)", cell: func(r announcementRow) string { return r.Announced }},
					column[announcementRow]{title: "age", cell: func(r announcementRow) string { return r.Age }, right: true},
				)
			})
		},
	}
}
