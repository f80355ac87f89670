package bankfile

// The few elements of camt.052, camt.053 and camt.054 that are read. Elements that may come once are slices where the last of
// two would silently win.

type camtAmount struct {
	Currency string `xml:"Ccy,attr"`
	Text     string `xml:",chardata"`
}

type camtDate struct {
	Date     string `xml:"Dt"`
	DateTime string `xml:"DtTm"`
}

func (d camtDate) text() string {
	if d.Date != "" {
		return d.Date
	}
	return d.DateTime
}

type camtHeader struct {
	Created string          `xml:"CreDtTm"`
	Pages   *camtPagination `xml:"MsgPgntn"`
}

type camtPagination struct {
	Number string `xml:"PgNb"`
	Last   string `xml:"LastPgInd"`
}

// isPart tells whether there are other pages.
func (p *camtPagination) isPart() bool {
	return p != nil && (p.Number != "1" && p.Number != "" || p.Last != "true" && p.Last != "1")
}

type camtID struct {
	IBAN  string `xml:"Id>IBAN"`
	Other string `xml:"Id>Othr>Id"`
}

func (id camtID) text() string {
	if id.IBAN != "" {
		return removeSpaces(id.IBAN)
	}
	return removeSpaces(id.Other)
}

type camtAccount struct {
	camtID
	Currency string `xml:"Ccy"`
}

type camtBalance struct {
	Code   string       `xml:"Tp>CdOrPrtry>Cd"`
	Amount []camtAmount `xml:"Amt"`
	Mark   string       `xml:"CdtDbtInd"`
	Date   camtDate     `xml:"Dt"`
}

type camtStatus struct {
	Code        string `xml:"Cd"`
	Proprietary string `xml:"Prtry"`
	Text        string `xml:",chardata"`
}

type camtCode struct {
	SubFamily string `xml:"Domn>Fmly>SubFmlyCd"`
}

type camtEntry struct {
	Amount    []camtAmount `xml:"Amt"`
	Mark      []string     `xml:"CdtDbtInd"`
	Reversal  []string     `xml:"RvslInd"`
	Status    []camtStatus `xml:"Sts"`
	Booked    []camtDate   `xml:"BookgDt"`
	Valued    []camtDate   `xml:"ValDt"`
	Reference []string     `xml:"AcctSvcrRef"`
	Code      camtCode     `xml:"BkTxCd"`
	Charges   []camtCharge `xml:"Chrgs>Rcrd"`
	Batches   []camtBatch  `xml:"NtryDtls"`
}

type camtBatch struct {
	Payments string       `xml:"Btch>NbOfTxs"`
	Details  []camtDetail `xml:"TxDtls"`
}

type camtParty struct {
	Name      string `xml:"Nm"`
	PartyName string `xml:"Pty>Nm"`
}

type camtCharge struct {
	Amount   camtAmount `xml:"Amt"`
	Included string     `xml:"ChrgInclInd"`
}

type camtDetail struct {
	Reference []string     `xml:"Refs>AcctSvcrRef"`
	EndToEnd  []string     `xml:"Refs>EndToEndId"`
	TxID      []string     `xml:"Refs>TxId"`
	UETR      []string     `xml:"Refs>UETR"`
	Amount    []camtAmount `xml:"Amt"`
	TxAmount  []camtAmount `xml:"AmtDtls>TxAmt>Amt"`
	Mark      []string     `xml:"CdtDbtInd"`
	Charges   []camtCharge `xml:"Chrgs>Rcrd"`
	Payer     camtParty    `xml:"RltdPties>Dbtr"`
	Account   camtID       `xml:"RltdPties>DbtrAcct"`
	BICFI     string       `xml:"RltdAgts>DbtrAgt>FinInstnId>BICFI"`
	BIC       string       `xml:"RltdAgts>DbtrAgt>FinInstnId>BIC"`
	Texts     []string     `xml:"RmtInf>Ustrd"`
	Creditor  []string     `xml:"RmtInf>Strd>CdtrRefInf>Ref"`
	Return    *struct{}    `xml:"RtrInf"`
	Code      camtCode     `xml:"BkTxCd"`
}
