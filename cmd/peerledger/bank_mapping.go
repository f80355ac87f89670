package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v3"

	"github.com/peerledger/peerledger/cmd/peerledger/internal/bankfile"
)

// maxMappingFile bounds the size of a mapping file, in bytes.
const maxMappingFile = 1 << 20

// bankMapping is the content of a mapping file: what a bank account of the configuration may leave out.
type bankMapping struct {
	CSV    *bankfile.Mapping `yaml:"csv"`
	Payers []bankfile.Payer  `yaml:"payers"`
}

// addMapping returns the bank account with the mapping of a file. The columns of the file take the place of the configured ones.
// Its payers are added to the configured ones: a payment that fits payers of two peers has no peer.
func (b bankConfig) addMapping(file string) (bankConfig, error) {
	m, err := readBankMapping(file)
	if err != nil {
		return b, fmt.Errorf("%s: %w", file, err)
	}
	if m.CSV != nil {
		b.CSV = m.CSV
	}
	b.Payers = append(append([]bankfile.Payer{}, b.Payers...), m.Payers...)
	for _, err := range b.checkMapping() {
		return b, fmt.Errorf("%s: %w", file, err)
	}
	return b, nil
}

func readBankMapping(file string) (m bankMapping, err error) {
	f, err := os.Open(file)
	if err != nil {
		return m, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxMappingFile+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return m, err
	}
	if len(text) > maxMappingFile {
		return m, fmt.Errorf("the file has more than %d bytes", maxMappingFile)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&m); err != nil && !errors.Is(err, io.EOF) {
		return m, err
	}
	if m.CSV == nil && len(m.Payers) == 0 {
		return m, errors.New("neither csv nor payers are in the file")
	}
	return m, nil
}

// mappingFault is an error in a field of a bank account.
type mappingFault struct {
	field string
	err   error
}

func (f *mappingFault) Error() string { return f.field + ": " + f.err.Error() }
func (f *mappingFault) Unwrap() error { return f.err }

// checkMapping returns the errors in columns and payers.
func (b bankConfig) checkMapping() (errs []error) {
	if b.CSV != nil {
		err := b.CSV.Validate()
		if bankfile.Kind(b.Books) != bankfile.CSV {
			err = fmt.Errorf("the account books from %s: only an account that books from csv has a mapping", b.Books)
		}
		if err != nil {
			errs = append(errs, &mappingFault{"csv", err})
		}
	}
	for n, p := range b.Payers {
		if p.Peer == "" || (p.Account == "") == (p.Reference == "") {
			errs = append(errs, &mappingFault{"payers", fmt.Errorf("number %d (%q): a payer has a peer, and either account or reference", n+1, p.Peer)})
		}
	}
	return errs
}
