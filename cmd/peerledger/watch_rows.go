package main

import (
	"slices"
	"strconv"
)

// rowChoice is which peers watch shows, and in which order. The zero value is all peers, those nearest to a
// threshold first.
type rowChoice struct {
	order      string // a column, as --sort takes it; "" keeps the order of the snapshot
	conditions []string
	filters    peerFilters // of conditions
}

// parseConditions reads values of --filter.
func (c *rowChoice) parseConditions(conditions []string) (err error) {
	c.conditions = conditions
	c.filters, err = parseFilters(conditions)
	return err
}

// chooseRows returns the rows that are shown, in order.
func (c rowChoice) chooseRows(rows []watchedRow) ([]watchedRow, error) {
	rows = slices.DeleteFunc(slices.Clone(rows), func(r watchedRow) bool { return !c.filters.match(r.balance) })
	return sortRows(&listing{sort: c.order}, rows, newWatchColumns(0))
}

// The orders and conditions through which the keys of the terminal view go.
var (
	cycledOrders  = []string{"", "peer", "position", "position:desc", "arrears:desc", "headroom", "line_used_percent:desc", "due_percent:desc"}
	cycledFilters = []string{"", "near-line=80%", "owing", "in-arrears", "suspended"}
)

// nextOf returns the element after one in a cycle; the first one if it is not in the cycle.
func nextOf(cycle []string, element string) string {
	return cycle[(slices.Index(cycle, element)+1)%len(cycle)]
}

// nextOrder chooses the next order of the cycle.
func (c *rowChoice) nextOrder() { c.order = nextOf(cycledOrders, c.order) }

// nextFilter chooses the next condition of the cycle. Several conditions of the command line are followed by
// none.
func (c *rowChoice) nextFilter() {
	now := ""
	if len(c.conditions) == 1 {
		now = c.conditions[0]
	}
	next := nextOf(cycledFilters, now)
	if len(c.conditions) > 1 {
		next = ""
	}
	var conditions []string
	if next != "" {
		conditions = []string{next}
	}
	_ = c.parseConditions(conditions) // the conditions of the cycle are right
}

// newWatchColumns returns the columns of watch, with bars of this width; 0 is no bars.
func newWatchColumns(bars int) []column[watchedRow] {
	return []column[watchedRow]{
		{title: "peer", cell: func(r watchedRow) string { return r.Peer }},
		{title: "asset", cell: func(r watchedRow) string { return r.Asset }},
		{title: "state", cell: func(r watchedRow) string { return r.State }},
		{title: "position", cell: func(r watchedRow) string { return r.Position }, right: true},
		{title: "arrears", cell: func(r watchedRow) string { return r.Arrears }, right: true},
		{title: "settle at", cell: func(r watchedRow) string { return r.SettleAt }, right: true},
		{title: "due", field: "due_percent", cell: func(r watchedRow) string { return drawBar(r.Due, bars) }, value: func(r watchedRow) string { return strconv.Itoa(r.Due) }, right: true},
		{title: "credit line", cell: func(r watchedRow) string { return r.CreditLine }, right: true},
		{title: "used", field: "line_used_percent", cell: func(r watchedRow) string { return drawBar(r.Used, bars) }, value: func(r watchedRow) string { return strconv.Itoa(r.Used) }, right: true},
		{title: "order", cell: func(r watchedRow) string { return r.Order }, right: true},
		{title: "age", field: "order_age", cell: func(r watchedRow) string { return r.OrderAge }, right: true},
		{title: "headroom", cell: func(r watchedRow) string { return r.Headroom }, right: true, wide: true},
		{title: "held in", cell: func(r watchedRow) string { return r.HeldIn }, right: true, wide: true},
		{title: "held out", cell: func(r watchedRow) string { return r.HeldOut }, right: true, wide: true},
	}
}
