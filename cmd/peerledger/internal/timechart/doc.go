// Package timechart draws positions, settlements and packets of peers over time, as PNG or SVG.
//
// [Read] reads exact figures from the book: positions at the ends of equal steps, and the amounts that moved within each step.
// [Chart.Encode] draws them. Amounts are rounded for the place of a point alone: the texts have the exact amounts.
package timechart
