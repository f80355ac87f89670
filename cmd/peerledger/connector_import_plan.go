package main

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/cmd/peerledger/internal/connectorbooks"
	"github.com/peerledger/peerledger/ledger"
)

// The states of a step of an import.
const (
	importNew        = "new"        // the ledger has nothing of it
	importUnfinished = "unfinished" // an import was interrupted before it had booked the balance
	importDone       = "imported"   // by an earlier import
	importWritten    = "written"    // by this one
	importBlocked    = "blocked"    // an obstacle is in the way
)

// importPlan is what an import would do.
type importPlan struct {
	peers  []*plannedPeer
	assets []*plannedAsset
	notes  []connectorbooks.Note
}

// plannedPeer is one peer of an import.
type plannedPeer struct {
	connectorbooks.Peer
	account accounts.PeerAccount // zero if the configuration lacks the asset
	asset   accounts.Asset
	entry   peerConfig
	listed  bool // the configuration has the entry
	key     string
	state   string
}

// plannedAsset is the liquidity of one asset.
type plannedAsset struct {
	connectorbooks.Asset
	asset accounts.Asset
	key   string
	state string
}

// obstacle notes what stands in the way of a peer.
func (p *importPlan) obstacle(peer *plannedPeer, format string, args ...any) {
	peer.state = importBlocked
	p.notes = append(p.notes, connectorbooks.Note{Kind: connectorbooks.Obstacle, Peer: peer.ID, Asset: peer.Asset, Text: fmt.Sprintf(format, args...)})
}

// planImport compares what a connector has with the configuration and the ledger.
func (s *session) planImport(ctx context.Context, books connectorbooks.Books) (*importPlan, error) {
	plan := &importPlan{notes: slices.Clone(books.Notes)}
	with := s.cfg
	with.Peers = slices.Clone(s.cfg.Peers)
	for _, a := range books.Assets {
		if err := s.planAsset(ctx, plan, books.Source, a); err != nil {
			return nil, err
		}
	}
	for _, peer := range books.Peers {
		p := &plannedPeer{Peer: peer, key: importKey(books.Source, "peer", peer.SourceID), state: importNew}
		plan.peers = append(plan.peers, p)
		asset, found := s.findImportedAsset(peer.Asset)
		if !found {
			p.state = importBlocked
			continue
		}
		p.asset = asset
		if err := s.planPeer(ctx, plan, p); err != nil {
			return nil, err
		}
		if !p.listed {
			with.Peers = append(with.Peers, p.entry)
		}
	}
	if err := with.validate(); err != nil {
		plan.notes = append(plan.notes, connectorbooks.Note{Kind: connectorbooks.Obstacle, Text: "The configuration with the new entries is refused: " + err.Error() + "."})
	}
	for _, n := range plan.notes {
		if n.Kind == connectorbooks.Obstacle {
			plan.block(n.Peer, n.Asset)
		}
	}
	return plan, nil
}

// block marks the peer of an obstacle.
func (p *importPlan) block(peer string, asset connectorbooks.AssetName) {
	for _, planned := range p.peers {
		if planned.ID == peer && planned.Asset == asset {
			planned.state = importBlocked
		}
	}
}

// importKey is the key of a booking. The id is the connector's own, which never changes.
func importKey(source connectorbooks.Source, kind, id string) string {
	return fmt.Sprintf("import/%s/%s/%s", source, kind, id)
}

// findImportedAsset finds the configured asset with this code and scale.
func (s *session) findImportedAsset(name connectorbooks.AssetName) (accounts.Asset, bool) {
	for _, a := range s.book.Assets() {
		if a.Code == name.Code && a.Scale == name.Scale {
			return a, true
		}
	}
	return accounts.Asset{}, false
}

// planAsset plans the liquidity of an asset.
func (s *session) planAsset(ctx context.Context, plan *importPlan, source connectorbooks.Source, a connectorbooks.Asset) error {
	p := &plannedAsset{Asset: a, key: importKey(source, "asset", a.SourceID), state: importNew}
	obstacle := func(format string, args ...any) {
		p.state = importBlocked
		plan.notes = append(plan.notes, connectorbooks.Note{Kind: connectorbooks.Obstacle, Asset: a.AssetName, Text: fmt.Sprintf(format, args...)})
	}
	var found bool
	if p.asset, found = s.findImportedAsset(a.AssetName); !found {
		obstacle("The asset is not in the configuration. Add under assets, with a number of your own: {code: %q, scale: %d, ledger: NUMBER}.", a.Code, a.Scale)
	}
	if a.Liquidity == nil || a.Liquidity.Sign() == 0 {
		if !found {
			plan.assets = append(plan.assets, p)
		}
		return nil
	}
	plan.assets = append(plan.assets, p)
	if !found {
		return nil
	}
	booking, isBooked, err := s.book.FindFunding(ctx, p.asset, p.key)
	switch {
	case err != nil:
		return err
	case isBooked && booking.Amount.Big().Cmp(a.Liquidity) != 0:
		obstacle("An earlier import booked %s, and the file has %s.", p.asset.Text(booking.Amount), formatSigned(p.asset, a.Liquidity))
	case isBooked:
		p.state = importDone
	default:
		return s.checkUnfunded(ctx, p, obstacle)
	}
	return nil
}

// checkUnfunded refuses liquidity for an asset that has some already: it would count twice.
func (s *session) checkUnfunded(ctx context.Context, p *plannedAsset, obstacle func(string, ...any)) error {
	own, err := s.readOwnPosition(ctx, p.asset)
	switch {
	case errors.Is(err, accounts.ErrNotProvisioned):
		return nil
	case err != nil:
		return err
	case own.Liquidity.Sign() != 0 || own.Capital.Sign() != 0:
		obstacle("The ledger has liquidity of %s already. Ask for the asset without its liquidity.", formatSigned(p.asset, own.Liquidity))
	}
	return nil
}

// planPeer plans one peer: its entry in the configuration, then its state in the ledger.
func (s *session) planPeer(ctx context.Context, plan *importPlan, p *plannedPeer) error {
	var err error
	if p.account, err = s.book.PeerAccount(p.ID, p.asset); err != nil {
		plan.obstacle(p, "%v.", err)
		return nil //nolint:nilerr // it is in the plan
	}
	s.planEntry(plan, p)
	if p.state == importBlocked {
		return nil
	}
	return s.findImportState(ctx, plan, p)
}

// planEntry chooses the entry of the peer in the configuration. An entry that is there stays as it is: it may only add to
// what the connector tells.
func (s *session) planEntry(plan *importPlan, p *plannedPeer) {
	entry, listed := s.chooseEntry(p.account, p.asset, "")
	p.listed = listed
	if listed && p.OnlySum {
		line, err := parseLine(p.asset, orDefault(entry.CreditLine, "0"))
		if err != nil {
			plan.obstacle(p, "credit_line in the configuration: %v.", err)
			return
		}
		p.Peer = p.WithLine(line.Big())
		p.Unlimited = false
	}
	if !p.Unlimited && p.CreditLine.Cmp(accounts.Unlimited.Big()) > 0 {
		plan.obstacle(p, "The credit line is above %s, the largest line.", p.asset.Text(accounts.Unlimited))
		return
	}
	want := p.makeEntry(s.cfg, entry)
	if p.EngineURL != "" && want.Engine == "" {
		plan.notes = append(plan.notes, connectorbooks.Note{
			Kind: connectorbooks.LeftOut, Peer: p.ID, Asset: p.Asset,
			Text: fmt.Sprintf("The settlement engine %s: no engine of the configuration has this URL. Add it with peerledger engines add before the import.", p.EngineURL),
		})
	}
	if p.entry = want; !listed {
		return
	}
	p.entry = entry
	if differences := compareEntries(p.asset, entry, want); len(differences) > 0 {
		plan.obstacle(p, "The configuration and the file differ: %s. Change or remove the entry of the peer.", strings.Join(differences, "; "))
	}
}

// makeEntry returns the entry of a peer as the connector has it. Entry has the id and the asset.
func (p *plannedPeer) makeEntry(cfg config, entry peerConfig) peerConfig {
	entry.CreditLine = unlimited
	if !p.Unlimited {
		entry.CreditLine = formatSigned(p.asset, p.CreditLine)
	}
	if p.SettleAt != nil {
		entry.SettleAt, entry.SettleTo = formatSigned(p.asset, p.SettleAt), formatSigned(p.asset, p.SettleTo)
	}
	for _, e := range cfg.Engines {
		if p.EngineURL != "" && strings.TrimRight(e.URL, "/") == strings.TrimRight(p.EngineURL, "/") {
			entry.Engine, entry.EngineAccount = e.Name, p.SourceID
		}
	}
	return entry
}

// compareEntries returns what differs between the entry of the configuration and the wanted one. Amounts differ by their values.
func compareEntries(asset accounts.Asset, has, want peerConfig) (differences []string) {
	sameAmount := func(x, y string) bool {
		if x == unlimited || y == unlimited {
			return x == y
		}
		a, errA := parseSigned(asset, orDefault(x, "0"))
		b, errB := parseSigned(asset, orDefault(y, "0"))
		return errA == nil && errB == nil && a.Cmp(b) == 0
	}
	sameText := func(x, y string) bool { return x == y }
	for _, f := range []struct {
		name, has, want string
		equal           func(x, y string) bool
	}{
		{"credit_line", has.CreditLine, want.CreditLine, sameAmount},
		{"settle_at", has.SettleAt, want.SettleAt, sameAmount},
		{"settle_to", has.SettleTo, want.SettleTo, sameAmount},
		{"engine", has.Engine, want.Engine, sameText},
		{"engine_account", has.EngineAccount, want.EngineAccount, sameText},
	} {
		if !f.equal(f.has, f.want) {
			differences = append(differences, fmt.Sprintf("%s is %s, and %s there", f.name, orDefault(f.has, "missing"), orDefault(f.want, "missing")))
		}
	}
	return differences
}

// findImportState looks up what the ledger has of the peer.
func (s *session) findImportState(ctx context.Context, plan *importPlan, p *plannedPeer) error {
	balance, err := s.book.Balance(ctx, p.account)
	if errors.Is(err, accounts.ErrNotProvisioned) {
		return nil
	}
	if err != nil {
		return err
	}
	booked, err := s.findImported(ctx, p)
	switch {
	case err != nil:
		return err
	case booked != nil && booked.Cmp(p.Position) == 0, booked == nil && p.listed && p.Position.Sign() == 0 && balance.CreditLine == p.line():
		p.state = importDone
	case booked != nil:
		plan.obstacle(p, "An earlier import booked %s, and the file has %s.", formatSigned(p.asset, booked), formatSigned(p.asset, p.Position))
	case isUntouched(balance) && (balance.CreditLine.IsZero() || balance.CreditLine == p.line()):
		p.state = importUnfinished
	default:
		plan.obstacle(p, "The ledger has bookings of the peer that no import made: position %s, credit line %s. A balance on top of them would be wrong.",
			formatSigned(p.asset, balance.Position()), formatLine(p.asset, balance.CreditLine))
	}
	return nil
}

// line returns the credit line in units.
func (p *plannedPeer) line() ledger.Amount {
	if p.Unlimited {
		return accounts.Unlimited
	}
	return ledger.ClampAmount(p.CreditLine)
}

// isUntouched reports whether nothing but its credit line was ever booked for a peer.
func isUntouched(b accounts.Balance) bool {
	for _, amount := range []ledger.Amount{b.Payable, b.Receivable, b.Arrears, b.HeldIn, b.HeldOut, b.Settling, b.Announced, b.Sent, b.Earned, b.SettledIn, b.SettledOut} {
		if !amount.IsZero() {
			return false
		}
	}
	return !b.Closed && !b.Suspended
}

// findImported returns the position that an earlier import booked under the peer's key, in units; nil if there is none.
func (s *session) findImported(ctx context.Context, p *plannedPeer) (*big.Int, error) {
	result, err := s.book.Find(ctx, accounts.FindQuery{Key: p.key, Peers: []accounts.PeerAccount{p.account}})
	if err != nil {
		return nil, err
	}
	for _, f := range result.Found {
		if f.Kind == accounts.FoundAdjustment {
			units := f.In.Big()
			if f.From.Peer != "" {
				units.Neg(units)
			}
			return units, nil
		}
	}
	return nil, nil //nolint:nilnil // no booking is a valid result
}

// importObstaclesError is returned with --yes while obstacles are in the way. Nothing was written.
type importObstaclesError struct{ texts []string }

func (e *importObstaclesError) Error() string {
	return fmt.Sprintf("nothing was imported, for %s in the way:\n  %s", formatCount(len(e.texts), "obstacle"), strings.Join(e.texts, "\n  "))
}

// refuseObstacles returns the obstacles as an error.
func (p *importPlan) refuseObstacles() error {
	var texts []string
	for _, n := range p.notes {
		if n.Kind == connectorbooks.Obstacle {
			texts = append(texts, formatNote(n))
		}
	}
	if texts == nil {
		return nil
	}
	return &importObstaclesError{texts}
}

// formatNote returns a note with its subject.
func formatNote(n connectorbooks.Note) string {
	switch {
	case n.Peer != "":
		return fmt.Sprintf("%s in %v: %s", n.Peer, n.Asset, n.Text)
	case n.Asset != connectorbooks.AssetName{}:
		return fmt.Sprintf("%v: %s", n.Asset, n.Text)
	default:
		return n.Text
	}
}
