package bench

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSpread(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		values []float64
		want   spread
	}{
		"one":   {[]float64{3}, spread{3, 3, 3}},
		"two":   {[]float64{4, 2}, spread{3, 2, 4}},
		"three": {[]float64{9, 1, 2}, spread{2, 1, 9}},
		"four":  {[]float64{9, 1, 2, 4}, spread{3, 1, 9}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, computeSpread(test.values))
		})
	}
}

// The ratio of a slow round is unchanged.
func TestRatiosAreOfOneRound(t *testing.T) {
	t.Parallel()
	at := func(rates ...int64) (f stats) {
		for _, r := range rates {
			f = append(f, sample{packets: r, elapsed: time.Second})
		}
		return f
	}
	require.Equal(t, &spread{0.5, 0.5, 0.5}, at(100, 10, 50).computeRatio(at(200, 20, 100), sample.packetRate))
	require.Equal(t, &spread{1, 0.5, 2}, at(100, 20, 50).computeRatio(at(200, 10, 50), sample.packetRate))
}

func TestPercentiles(t *testing.T) {
	t.Parallel()
	l := newLatencies(1000)
	for i := range 1000 { // more callers than shards
		l.selectShard(i).recordLatency(time.Duration(i+1) * time.Millisecond)
	}
	p50, p99, p100 := l.computePercentiles()
	require.InEpsilon(t, 500*time.Millisecond, p50, 0.002)
	require.InEpsilon(t, 990*time.Millisecond, p99, 0.002)
	require.InEpsilon(t, time.Second, p100, 0.002)

	l = newLatencies(1)
	p50, p99, p100 = l.computePercentiles()
	require.Zero(t, p50+p99+p100)
	l.selectShard(0).recordLatency(24 * time.Hour)
	_, _, p100 = l.computePercentiles()
	require.InEpsilon(t, latencyMax, p100, 0.002, "as long as can be told")
}

func TestWatch(t *testing.T) {
	t.Parallel()
	l := newLatencies(2)
	alone, several := l.newTimer(0, 1), l.newTimer(1, 2)
	for i := range int64(2 * sampleEvery) {
		alone.stopTimer(alone.startTimer(i))
		several.stopTimer(several.startTimer(i))
	}
	require.Equal(t, int64(2*sampleEvery), l.shards[0].histogram.TotalCount())
	require.Equal(t, int64(2), l.shards[1].histogram.TotalCount())
}

// All connections send the same number of batches, as large as possible.
func TestEvenly(t *testing.T) {
	t.Parallel()
	tests := []struct{ total, conns, batchMax, want int64 }{
		{20_000, 2, 8189, 5000},
		{2 * 8189, 2, 8189, 8189},
		{2*8189 + 1, 2, 8189, 4095},
		{1_000_000, 2, 253, 253},
		{1, 4, 8189, 1},
	}
	for _, test := range tests {
		require.Equal(t, test.want, evenBatchSize(test.total, test.conns, test.batchMax), test)
	}
}

func TestShort(t *testing.T) {
	t.Parallel()
	for microseconds, want := range map[float64]string{0: "0s", 0.2517: "252ns", 1.2341: "1.23µs", 12_345: "12.3ms", 1_234_567: "1.23s"} {
		require.Equal(t, want, shortDuration(microseconds))
	}
}
