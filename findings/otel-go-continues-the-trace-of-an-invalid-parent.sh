#!/usr/bin/env bash
# go.opentelemetry.io/otel 1.47.0: a parent with a trace id and no span id is not valid (IsValid is false), and a span below it is
# in its trace all the same: as a root of the trace, with the sampled flag of the parent unread.
#
# A program that stores only the trace id of a unit of work, to go on with the trace in another process, seems to succeed: the spans of
# both processes have the trace id. But each process adds another root, and a ParentBased sampler asks its sampler of roots in each, so
# that one process may keep its spans and the other not. The specification of the SDK has the rule for the trace id ("if there is
# a valid parent trace ID, use it"), and the one for samplers asks for a valid parent: the two meet only here.
#
# monitoring/otel gives the spans of an order a parent with both ids, made from the order's id.
#
# Output seen on 2026-12-01, Go 1.26.7:
#   no span id:   valid=false same trace=true  parent=false sampled=false
#   with span id: valid=true  same trace=true  parent=true  sampled=true
#
# The script fails if this has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
cat >go.mod <<'EOF'
module example.com/finding

go 1.25.0

require (
	go.opentelemetry.io/otel/sdk v1.47.0
	go.opentelemetry.io/otel/trace v1.47.0
)
EOF
cat >main.go <<'EOF'
package main

import (
	"context"
	"fmt"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

func show(name string, span trace.SpanID) {
	tracer := sdk.NewTracerProvider(sdk.WithSampler(sdk.ParentBased(seen{}))).Tracer("finding")
	parent := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: span, TraceFlags: trace.FlagsSampled, Remote: true})
	rootAsked = false
	_, child := tracer.Start(trace.ContextWithRemoteSpanContext(context.Background(), parent), "child")
	c := child.SpanContext()
	fmt.Printf("%-13s valid=%-5v same trace=%-5v parent=%-5v sampled=%v\n", name, parent.IsValid(), c.TraceID() == parent.TraceID(), !rootAsked, c.IsSampled())
}

// seen is a sampler of roots that takes none.
type seen struct{}

var rootAsked bool

func (seen) ShouldSample(p sdk.SamplingParameters) sdk.SamplingResult {
	rootAsked = true
	return sdk.NeverSample().ShouldSample(p)
}
func (seen) Description() string { return "seen" }

func main() {
	show("no span id:", trace.SpanID{})
	show("with span id:", trace.SpanID{2})
}
EOF
GOFLAGS=-mod=mod go mod tidy >/dev/null 2>&1
output=$(go run .)
echo "$output"
[[ $output == "no span id:   valid=false same trace=true  parent=false sampled=false
with span id: valid=true  same trace=true  parent=true  sampled=true" ]]
