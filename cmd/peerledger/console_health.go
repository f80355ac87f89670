package main

import (
	"context"

	"github.com/peerledger/peerledger/console"
	"github.com/peerledger/peerledger/internal/doctor"
)

// newHealth returns the examination for the console's page of the ledger's health: that of doctor, in a session of its
// own. A folder belongs to this process, so of an embedded ledger only the books are examined.
func (s *session) newHealth() (func(context.Context) ([]console.Finding, error), error) {
	subject, err := s.newDoctorSubject()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) ([]console.Finding, error) {
		var report doctor.Report
		if subject.Folder != "" {
			report = doctor.ExamineBooks(ctx, s.ledger, subject.Books)
		} else {
			report = doctor.Examine(ctx, subject)
		}
		findings := make([]console.Finding, len(report))
		for i, f := range report {
			findings[i] = console.Finding{
				Level: console.Level(f.Level.String()), Code: string(f.Code), Subject: f.Subject, Found: f.Found, Cause: f.Cause, Remedy: f.Remedy,
			}
		}
		return findings, nil
	}, nil
}
