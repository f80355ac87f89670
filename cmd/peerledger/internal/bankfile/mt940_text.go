package bankfile

import (
	"regexp"
	"strings"
)

var (
	mtSubfields = regexp.MustCompile(`^(?:\d{3})?[?~>]\d\d`)
	mtKeyword   = regexp.MustCompile(`(EREF|KREF|MREF|CRED|DEBT|SVWZ|ABWA|ABWE|COAM|OAMT|PURP|RREF|IBAN|BIC)\+`)
	mtCode      = regexp.MustCompile(`/(EREF|NAME|IBAN|REMI|BIC|TRTP|CSID|MARF|ORDP|BENM|RTRN|PREF|ISDT|TRCD|ADDR|ID|CNTP)/`)
)

// describe reads field 86, joined to one line: payer, account and the payer's reference. The text alone books nothing.
func (d *Detail) describe(text string) {
	if mtSubfields.MatchString(text) {
		d.describeSubfields(text)
		return
	}
	values := cutByCodes(text, mtCode)
	d.Payer = strings.Trim(values["NAME"], "/ ")
	d.PayerAccount = removeSpaces(strings.Trim(values["IBAN"], "/ "))
	d.setEndToEnd(strings.Trim(values["EREF"], "/ "))
}

// describeSubfields reads the German form: subfields of two digits after a separator.
func (d *Detail) describeSubfields(text string) {
	start := strings.IndexAny(text, "?~>")
	separator := text[start : start+1]
	var usage strings.Builder
	var name []string
	for _, part := range strings.Split(text[start+1:], separator) {
		if len(part) < 2 {
			continue
		}
		switch number, value := part[:2], part[2:]; {
		case number >= "20" && number <= "29", number >= "60" && number <= "63":
			usage.WriteString(value)
		case number == "30":
			d.BIC = strings.TrimSpace(value)
		case number == "31":
			d.PayerAccount = removeSpaces(value)
		case number == "32", number == "33":
			name = append(name, value)
		}
	}
	d.Payer = strings.TrimSpace(strings.Join(name, ""))
	d.setEndToEnd(cutByCodes(usage.String(), mtKeyword)["EREF"])
}

func (d *Detail) setEndToEnd(text string) {
	if text = cleanReference(text); text != "" {
		d.EndToEnd = text
	}
}

// cutByCodes returns the text after each code, up to the next code. The first of two equal codes counts.
func cutByCodes(text string, code *regexp.Regexp) map[string]string {
	values := map[string]string{}
	found := code.FindAllStringSubmatchIndex(text, -1)
	for i, at := range found {
		end := len(text)
		if i+1 < len(found) {
			end = found[i+1][0]
		}
		if name := text[at[2]:at[3]]; values[name] == "" {
			values[name] = text[at[1]:end]
		}
	}
	return values
}
