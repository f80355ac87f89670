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
		Use: "announce peer amount --key name", Short: "Note a payment by a peer that is not final yet",
		Example: "  peerledger settle announce alice 250 --key wire-4711 --yes",
		Long: `Note a payment by a peer that can still fail, once for each key. An announced payment is shown
and changes no balance. Close the announcement with settle received, which books the payment
under the same key, or with settle failed.`,
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
				switch announced, err := engine.FindPayment(cmd.Context(), p.account, key); {
				case err == nil:
					c.Effect = describeKnownPayment(announced, p.amount)
				case !errors.Is(err, settlement.ErrNoAnnouncement):
					return err
				}
				return a.previewOrWrite(c, func(c *change) error {
					announcement, err := engine.Announce(cmd.Context(), settlement.IncomingPayment{Account: p.account, Key: key, Amount: p.amount})
					c.Already, c.Transfer = announcement.AlreadyAnnounced, announcement.Transfer.String()
					if announcement.State != settlement.AnnouncementOpen {
						c.Note = fmt.Sprintf("The payment is known already: %s.", announcement.State)
					}
					return err
				})
			})
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "the `name` of the payment: give the same name to settle received or settle failed")
	_ = cmd.MarkFlagRequired("key") // it is defined, so there is no error
	a.addYesFlag(cmd)
	return cmd
}

// describeAnnouncement is the effect of an announcement of an unknown payment.
func describeAnnouncement(b accounts.Balance, _ ledger.Amount) string {
	text := "The payment is shown, and changes no balance until it is received."
	if b.Closed {
		text += " The peer's account is closed: a received payment waits in our suspense account."
	}
	return text
}

// describeKnownPayment is the effect of an announcement of a payment that the ledger knows.
func describeKnownPayment(announced settlement.Announcement, amount ledger.Amount) string {
	switch {
	case announced.State != settlement.AnnouncementOpen:
		return fmt.Sprintf("Nothing will be announced: the payment is known already, as %s.", announced.State)
	case announced.Amount != amount:
		return fmt.Sprintf("It will be refused: %s is announced under this key. Keep the announcement: settle received books the amount that arrives.", announced.Asset.Text(announced.Amount))
	default:
		return "It is announced already: nothing will change."
	}
}

// describeFailure is the effect of settle failed on a payment. err is the error of finding the
// payment; unknownText is the effect on an unknown one.
func describeFailure(announced settlement.Announcement, err error, unknownText string) (string, error) {
	switch {
	case errors.Is(err, settlement.ErrNoAnnouncement):
		return unknownText, nil
	case err != nil:
		return "", err
	case announced.State == settlement.AnnouncementReceived:
		return "It will be refused: the payment was received. If it was returned, give settle returned.", nil
	case announced.State == settlement.AnnouncementFailed:
		return "It has failed already: nothing will change.", nil
	default:
		return fmt.Sprintf("The announcement of %s is closed.", announced.Asset.Text(announced.Amount)), nil
	}
}

func (a *app) newFailedCommand(asset *string) *cobra.Command {
	var key, id string
	cmd := &cobra.Command{
		Use: "failed peer {--key name | --announcement id}", Short: "Record that an announced payment has failed",
		Example: "  peerledger settle failed alice --key wire-4711 --yes",
		Long: `Close the announcement of a payment that will not arrive. Name the payment by its key, or by
the id that settle announced shows. If the payment arrives later, book it with settle
received.`,
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
				ctx, unknownText := cmd.Context(), "Nothing is announced under this key. A later announcement will be answered with: failed."
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
				announced, err := find()
				if c.Effect, err = describeFailure(announced, err, unknownText); err != nil {
					return err
				}
				c.Effect += fmt.Sprintf(" Payments of %s are announced in all. Nothing is booked.", found.Text(b.Announced))
				return a.previewOrWrite(c, func(c *change) error {
					failed, err := fail()
					c.Already, c.Transfer = failed.AlreadyAnnounced, failed.Transfer.String()
					if err == nil {
						c.Amount = found.Format(failed.Amount)
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

// announcementRow is an open announcement in the output.
type announcementRow struct {
	Peer         string `json:"peer"`
	Asset        string `json:"asset"`
	Announcement string `json:"announcement"` // the id
	Amount       string `json:"amount"`
	Announced    string `json:"announced"`
	Age          string `json:"age"`
}

func (a *app) newAnnouncedCommand(asset *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "announced [peer...]", Short: "Show payments that are announced, and neither received nor failed",
		Long: `Show the open announcements of these peers, or of all configured peers. An announcement never
ends by itself: ask the rail for the state of an old payment, and give settle received or
settle failed.`,
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
				a.list.whenEmpty = "No payment is announced."
				return printRows(a, rows,
					column[announcementRow]{title: "peer", cell: func(r announcementRow) string { return r.Peer }},
					column[announcementRow]{title: "asset", cell: func(r announcementRow) string { return r.Asset }},
					column[announcementRow]{title: "announcement", names: true, cell: func(r announcementRow) string { return r.Announcement }},
					column[announcementRow]{title: "amount", cell: func(r announcementRow) string { return r.Amount }, right: true},
					column[announcementRow]{title: "announced", isTime: true, cell: func(r announcementRow) string { return r.Announced }},
					column[announcementRow]{title: "age", cell: func(r announcementRow) string { return r.Age }, right: true},
				)
			})
		},
	}
	a.addListFlags(cmd)
	return cmd
}
