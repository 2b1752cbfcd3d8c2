package aggregate

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/axiomhq/hyperloglog"
	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing/event"
)

// libraryRegisters are the registers of a dense sketch of the library, read from its wire form.
func libraryRegisters(t testing.TB, sk *hyperloglog.Sketch) []byte {
	b, err := sk.MarshalBinary()
	if err != nil || len(b) != 8+registerCount {
		t.Fatalf("marshal: %d bytes, %v", len(b), err)
	}
	return b[8:]
}

// asLibrary makes a dense sketch of the library from our registers.
func asLibrary(t testing.TB, r *registers) *hyperloglog.Sketch {
	whole := registers{}
	whole.merge(r)
	whole.toDense()
	b := append([]byte{2, precision, 0, 0}, binary.BigEndian.AppendUint32(nil, registerCount)...)
	sk := new(hyperloglog.Sketch)
	if err := sk.UnmarshalBinary(append(b, whole.dense[:]...)); err != nil {
		t.Fatal(err)
	}
	return sk
}

func TestUniquesAgreeWithLibrary(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	c := New(Uniques)
	c.Grow(1)
	ours := &c.(*UniquesColumn).rows[0]
	theirs := hyperloglog.NewNoSparse()
	value := event.IntValue(1)
	add := func(h uint64) {
		c.Add(0, &Input{Value: &value, Hash: h})
		theirs.InsertHash(h)
	}
	for _, h := range []uint64{0, math.MaxUint64, 1 << 49, 1<<50 - 1, 1 << 50, 1} {
		add(h)
	}
	checked := 0
	for n := range 300_000 {
		if n&(n-1) == 0 || n%50_000 == 0 {
			checked++
			want := float64(theirs.Estimate())
			if got := c.Result(0, 0); got.Float() != want {
				t.Errorf("after %d: estimate %v, the library's %v", n, got.Float(), want)
			}
			if got := float64(asLibrary(t, ours).Estimate()); got != want {
				t.Errorf("after %d: the library reads our registers as %v, its own as %v", n, got, want)
			}
		}
		add(random.Uint64())
	}
	if checked < 20 || ours.dense == nil {
		t.Fatalf("checked %d times, dense %v", checked, ours.dense != nil)
	}
	if string(libraryRegisters(t, theirs)) != string(ours.dense[:]) {
		t.Error("registers differ from the library's")
	}
}

func TestQuantilesAgreeWithLibrary(t *testing.T) {
	for name, number := range map[string]*rapid.Generator[float64]{
		"page loads": rapid.Map(rapid.IntRange(20, 9000), func(ms int) float64 { return float64(ms) }),
		"both signs": rapid.OneOf(rapid.Float64Range(-1000, 1000), rapid.Just(0.0)),
		"few values": rapid.SampledFrom([]float64{-1, 0, 1, 2, 1000}),
		// More than 2048 buckets apart, so that the lowest collapse, now and then at once.
		"far apart": rapid.Custom(func(t *rapid.T) float64 {
			f := math.Pow(10, rapid.Float64Range(-300, 18).Draw(t, "exponent"))
			if rapid.Bool().Draw(t, "negative") {
				return -f
			}
			return f
		}),
	} {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			quantilesAgree(t, rapid.SliceOfN(number, 1, 200).Draw(t, "numbers"))
		}))
	}
}

// A quantile is the number of its rank, rounded down, within the accuracy: also where there are negative ones and zeros.
func TestQuantilesAreOfTheirRank(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.OneOf(rapid.Float64Range(-1000, -0.001), rapid.Float64Range(0.001, 1000), rapid.SampledFrom([]float64{-5, -0.1, 0, 0, 0.1, 5}))
		numbers := rapid.SliceOfN(number, 1, 30).Draw(t, "numbers")
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		c := New(Quantile)
		c.Grow(1)
		for _, f := range numbers {
			v := event.FloatValue(f)
			c.Add(0, &Input{Value: &v})
		}
		slices.Sort(numbers)
		got, want := c.Result(0, q), numbers[int(q*float64(len(numbers)-1))]
		if math.Abs(got.Float()-want) > 1.0001*accuracy*math.Abs(want)+1e-300 {
			t.Errorf("quantile %v of %v is %v, want %v", q, numbers, got.Float(), want)
		}
	})
}

func quantilesAgree(t *rapid.T, numbers []float64) {
	theirs, err := ddsketch.LogCollapsingLowestDenseDDSketch(accuracy, maxBuckets)
	if err != nil {
		t.Fatal(err)
	}
	c := New(Quantile)
	c.Grow(1)
	for _, f := range numbers {
		if err := theirs.Add(f); err != nil {
			t.Fatal(err)
		}
		v := event.FloatValue(f)
		c.Add(0, &Input{Value: &v})
	}
	for _, q := range []float64{0, 0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1} {
		if rank := q * float64(len(numbers)-1); rank != math.Floor(rank) && slices.Min(numbers) < 0 {
			continue // the library rounds up among negative numbers
		}
		want, err := theirs.GetValueAtQuantile(q)
		if got := c.Result(0, q); err == nil && (got.IsNull() || got.Float() != want) {
			t.Errorf("quantile %v of %d numbers is %s, the library's %v", q, len(numbers), text(got), want)
		}
	}
}
