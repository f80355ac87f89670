package bankfile

import (
	"bufio"
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

var camtNamespace = regexp.MustCompile(`^urn:iso:std:iso:20022:tech:xsd:(camt\.05[234])\.001\.\d\d$`)

// camtMessages has the message's element and its statements' element.
var camtMessages = map[Kind][2]string{
	Camt052: {"BkToCstmrAcctRpt", "Rpt"},
	Camt053: {"BkToCstmrStmt", "Stmt"},
	Camt054: {"BkToCstmrDbtCdtNtfctn", "Ntfctn"},
}

// camtTokens passes tokens on within the limits, and refuses document types.
type camtTokens struct {
	ctx   context.Context //nolint:containedctx // the decoder above has no context to pass on
	raw   *xml.Decoder
	depth int
	text  int // bytes of text since the last tag

	elements, items int
}

// Token returns the next token, or a [RefusedError].
func (c *camtTokens) Token() (xml.Token, error) {
	token, err := c.raw.RawToken()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case xml.Directive:
		return nil, refuse(RefusedDocumentType, c.line(), "the file has a document type or another directive")
	case xml.StartElement:
		c.depth++
		c.text = 0
		if c.elements++; c.elements%checkEvery == 0 && c.ctx.Err() != nil {
			return nil, c.ctx.Err()
		}
		if name := t.Name.Local; name == "Ntry" || name == "TxDtls" || name == "Stmt" || name == "Bal" {
			c.items++
		}
		if c.depth > maxDepth || c.elements > maxElements || c.items > maxItems {
			return nil, refuse(RefusedSize, c.line(), "elements are nested too deep, or too many")
		}
	case xml.EndElement:
		c.depth--
		c.text = 0
	case xml.CharData:
		if c.text += len(t); c.text > maxText && len(bytes.TrimSpace(t)) > 0 {
			return nil, refuse(RefusedSize, c.line(), "a text has more than %d bytes", maxText)
		}
	}
	return token, nil
}

func (c *camtTokens) line() string {
	line, _ := c.raw.InputPos()
	return fmt.Sprintf("line %d", line)
}

// camtReader reads one file.
type camtReader struct {
	tokens  *camtTokens
	decoder *xml.Decoder
	header  camtHeader
	file    File
}

// tagReader bounds the bytes from one "<" to the next: the decoder keeps a whole tag, with its attributes, in memory.
type tagReader struct {
	*bufio.Reader

	since int
}

func newTagReader(r io.Reader) *tagReader { return &tagReader{Reader: bufio.NewReader(r)} }

// ReadByte is what the decoder reads with.
func (r *tagReader) ReadByte() (byte, error) {
	b, err := r.Reader.ReadByte()
	if r.since++; b == '<' {
		r.since = 0
	}
	if r.since > maxRecord {
		return 0, refuse(RefusedSize, "", "a tag or a text has more than %d bytes", maxRecord)
	}
	return b, err
}

func parseCamt(ctx context.Context, data []byte) (File, error) {
	raw := xml.NewDecoder(newTagReader(bytes.NewReader(data)))
	raw.CharsetReader = func(name string, input io.Reader) (io.Reader, error) {
		if strings.HasPrefix(strings.ToLower(name), "utf-16") { // Parse has decoded the file by its first bytes
			return input, nil
		}
		found, err := findEncoding(name)
		if err != nil || found == nil {
			return input, err
		}
		return newTagReader(found.NewDecoder().Reader(input)), nil
	}
	tokens := &camtTokens{ctx: ctx, raw: raw}
	r := &camtReader{tokens: tokens, decoder: xml.NewTokenDecoder(tokens)}
	err := r.readFile()
	var refused *RefusedError
	switch {
	case err == nil:
		return r.file, nil
	case errors.As(err, &refused) && refused.Where == "" && refused.Class == RefusedSize:
		return File{}, refuse(RefusedSize, tokens.line(), "%s", refused.Reason)
	case errors.As(err, &refused), ctx.Err() != nil:
		return File{}, err
	}
	return File{}, refuse(RefusedNotWellFormed, tokens.line(), "%v", err)
}

func (r *camtReader) readFile() error {
	root, err := r.nextStart()
	if err != nil {
		return err
	}
	m := camtNamespace.FindStringSubmatch(root.Name.Space)
	if root.Name.Local != "Document" || m == nil {
		return refuse(RefusedUnknown, root.Name.Local, "namespace %q is none of camt.052, camt.053, camt.054", root.Name.Space)
	}
	r.file.Kind = Kind(m[1])
	names := camtMessages[r.file.Kind]
	message, err := r.nextStart()
	if err != nil {
		return err
	}
	if message.Name.Local != names[0] {
		return refuse(RefusedUnknown, message.Name.Local, "the message of %s is %s", r.file.Kind, names[0])
	}
	err = r.eachChild(func(start xml.StartElement) error {
		switch start.Name.Local {
		case "GrpHdr":
			return r.decoder.DecodeElement(&r.header, &start)
		case names[1]:
			return r.readStatement()
		}
		return r.passElement()
	})
	if err != nil {
		return err
	}
	if len(r.file.Statements) == 0 {
		return refuse(RefusedUnknown, names[0], "the file has no %s", names[1])
	}
	return r.readEnd()
}

// nextStart returns the next start of an element, and refuses text before it.
func (r *camtReader) nextStart() (xml.StartElement, error) {
	for {
		token, err := r.decoder.Token()
		if err != nil {
			return xml.StartElement{}, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			return t, nil
		case xml.EndElement:
			return xml.StartElement{}, refuse(RefusedUnknown, t.Name.Local, "the element is empty")
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return xml.StartElement{}, refuse(RefusedNotWellFormed, r.tokens.line(), "text outside of elements")
			}
		}
	}
}

// eachChild calls read for each child of the open element, up to the element's end. read consumes the child.
func (r *camtReader) eachChild(read func(xml.StartElement) error) error {
	for {
		token, err := r.decoder.Token()
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if err := read(t); err != nil {
				return err
			}
		case xml.EndElement:
			return nil
		}
	}
}

// passElement reads on to the end of the open element.
func (r *camtReader) passElement() error {
	return r.eachChild(func(xml.StartElement) error { return r.passElement() })
}

// readEnd reads on to the end of the file: a second document must not go unseen.
func (r *camtReader) readEnd() error {
	for depth := 1; ; {
		token, err := r.decoder.Token()
		if errors.Is(err, io.EOF) && depth == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			return refuse(RefusedNotWellFormed, r.tokens.line(), "a second message or document: %s", t.Name.Local)
		case xml.EndElement:
			depth--
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return refuse(RefusedNotWellFormed, r.tokens.line(), "text after the message")
			}
		}
	}
}

func (r *camtReader) readStatement() error {
	number := len(r.file.Statements) + 1
	if number > maxStatements {
		return refuse(RefusedSize, r.tokens.line(), "more than %d statements", maxStatements)
	}
	var (
		account  camtAccount
		created  string
		sequence string
		pages    *camtPagination
		balances []camtBalance
		s        Statement
	)
	err := r.eachChild(func(start xml.StartElement) error {
		switch start.Name.Local {
		case "Acct":
			if account != (camtAccount{}) {
				return refuse(RefusedNotWellFormed, fmt.Sprintf("statement %d", number), "two elements Acct")
			}
			return r.decoder.DecodeElement(&account, &start)
		case "CreDtTm":
			return r.decoder.DecodeElement(&created, &start)
		case "ElctrncSeqNb":
			return r.decoder.DecodeElement(&sequence, &start)
		case "StmtPgntn", "RptPgntn", "NtfctnPgntn":
			return r.decoder.DecodeElement(&pages, &start)
		case "Bal":
			var b camtBalance
			if err := r.decoder.DecodeElement(&b, &start); err != nil {
				return err
			}
			balances = append(balances, b)
			return nil
		case "Ntry":
			return r.readEntry(&s, number, start)
		}
		return r.passElement()
	})
	if err != nil {
		return err
	}
	s.Account, s.Currency, s.Sequence = account.text(), strings.TrimSpace(account.Currency), strings.TrimSpace(sequence)
	s.Page = r.header.Pages.isPart() || pages.isPart()
	if err := s.setCamtBalances(balances, fmt.Sprintf("statement %d", number)); err != nil {
		return err
	}
	if created == "" {
		created = r.header.Created
	}
	if err := s.setMissingDates(created); err != nil {
		return err
	}
	r.file.Statements = append(r.file.Statements, s)
	return nil
}
