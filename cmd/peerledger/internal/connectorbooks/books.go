package connectorbooks

import (
	"fmt"
	"math/big"
)

// Source is a connector.
type Source string

// The connectors.
const (
	Rafiki        Source = "rafiki"
	InterledgerRS Source = "interledger-rs"
)

// MaxSize is the largest size of a file, in bytes.
const MaxSize = 64 << 20

// File is a file with an answer.
type File struct {
	Name string // for errors
	Data []byte // JSON, at most MaxSize bytes
}

// Books are what the answers of a connector tell. All amounts are in units of 10^-Scale of the asset.
type Books struct {
	Source Source
	Assets []Asset // in the order of the files
	Peers  []Peer  // in the order of the files
	Notes  []Note
}

// AssetName is the code and the scale of an asset, as in USD and 9.
type AssetName struct {
	Code  string
	Scale uint8
}

// String returns the asset as in "USD/9".
func (a AssetName) String() string { return fmt.Sprintf("%s/%d", a.Code, a.Scale) }

// Asset is an asset of the connector.
type Asset struct {
	AssetName
	SourceID string // the connector's id of the asset; "" without one
	// Liquidity is what the connector has of the asset for packets that change the currency, 0 or more; nil if the answers
	// do not tell.
	Liquidity *big.Int
}

// Peer is a peer in one asset.
type Peer struct {
	ID       string // for accounts.PeerConfig
	SourceID string // the connector's id of the account; never changes, and is the key of the import
	Asset    AssetName
	// Unlimited is set for a peer that may owe any amount. CreditLine is nil then.
	Unlimited  bool
	CreditLine *big.Int // how much the peer may owe us, 0 or more
	// Position is what we owe the peer, below 0 what the peer owes us. It includes Prepaid.
	Position *big.Int
	// OnlySum is set if the answers fix only the sum of CreditLine and Position. [Peer.WithLine] then moves the border.
	OnlySum bool
	// SettleAt and SettleTo are the threshold and the target of settlements; nil for a peer that is never paid.
	SettleAt, SettleTo *big.Int
	EngineURL          string // of the settlement engine; "" without one
}

// WithLine returns the peer with another credit line and the same sum of line and position.
func (p Peer) WithLine(line *big.Int) Peer {
	sum := new(big.Int).Add(p.CreditLine, p.Position)
	p.CreditLine, p.Position = line, sum.Sub(sum, line)
	return p
}

// NoteKind tells what a note is about.
type NoteKind string

// The kinds of notes.
const (
	Assumption NoteKind = "assumption" // the import relies on it
	LeftOut    NoteKind = "left out"   // the import does not carry it over
	Obstacle   NoteKind = "obstacle"   // the import cannot be made before it is removed
)

// Note is one line for the operator.
type Note struct {
	Kind NoteKind
	Peer string // "" for a note about an asset or all peers
	// Asset is the zero value for a note about all assets.
	Asset AssetName
	Text  string // a sentence
}

// FaultError is returned for a file that cannot be trusted.
type FaultError struct {
	File   string
	Path   string // of the field, as in data.peers.edges[3].node.liquidity; "" for the whole file
	Reason string // as in "must be a whole number of units"
}

func (e *FaultError) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("%s: %s", e.File, e.Reason)
	}
	return fmt.Sprintf("%s: %s: %s", e.File, e.Path, e.Reason)
}

// note adds a note about a peer.
func (b *Books) note(kind NoteKind, p *Peer, format string, args ...any) {
	n := Note{Kind: kind, Text: fmt.Sprintf(format, args...)}
	if p != nil {
		n.Peer, n.Asset = p.ID, p.Asset
	}
	b.Notes = append(b.Notes, n)
}

// noteAsset adds a note about an asset.
func (b *Books) noteAsset(kind NoteKind, asset AssetName, format string, args ...any) {
	b.Notes = append(b.Notes, Note{Kind: kind, Asset: asset, Text: fmt.Sprintf(format, args...)})
}
