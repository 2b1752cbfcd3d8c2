package reference

import (
	"math"
	"math/big"
	"slices"
	"strconv"

	"github.com/tidemark/tidemark/processing/event"
)

// item is an event or a closed session.
type item struct {
	fields    fields
	order     event.Order
	watermark event.Millis // W_p as it stood before the record
}

// compute computes one aggregate of the items that it takes.
func (a *aggregate) compute(e evaluator, items []*item) any {
	items = a.taken(e, items)
	if a.does == "count" {
		return int64(len(items))
	}
	var values []any
	var orders []event.Order
	for _, it := range items {
		if v := e.value(a.of, it.fields); v != nil {
			values, orders = append(values, v), append(orders, it.order)
		}
	}
	switch a.does {
	case "uniques":
		return distinct(values)
	case "first", "last":
		return witness(a.does, values, orders)
	}
	numbers := holdable(values)
	if len(numbers) == 0 {
		if a.does == "sum" {
			return 0.0
		}
		return nil
	}
	switch a.does {
	case "sum":
		return quotient(billionths(numbers), 1)
	case "avg":
		return quotient(billionths(numbers), int64(len(numbers)))
	case "min":
		return slices.Min(numbers)
	case "max":
		return slices.Max(numbers)
	case "quantile":
		slices.Sort(numbers)
		return numbers[int(a.q*float64(len(numbers)-1))]
	}
	panic("what is " + a.does)
}

func (a *aggregate) taken(e evaluator, items []*item) []*item {
	if a.where == nil {
		return items
	}
	var taken []*item
	for _, it := range items {
		if e.holds(a.where, it.fields) {
			taken = append(taken, it)
		}
	}
	return taken
}

// distinct counts different values; numbers differ by what they are worth.
func distinct(values []any) float64 {
	seen := map[any]bool{}
	for _, v := range values {
		if r := rational(v); r != nil {
			v = "number " + r.String()
		}
		seen[v] = true
	}
	return float64(len(seen))
}

// witness is the value that is first or last in the total order.
func witness(which string, values []any, orders []event.Order) any {
	var best any
	var at event.Order
	for i, v := range values {
		c := orders[i].Compare(at)
		if best == nil || which == "first" && c < 0 || which == "last" && c > 0 {
			best, at = v, orders[i]
		}
	}
	return best
}

// holdable leaves out what no sum can hold.
func holdable(values []any) []float64 {
	var out []float64
	for _, v := range values {
		if x, ok := float(v); ok && !math.IsNaN(x) && math.Abs(x) <= 1e18 {
			out = append(out, x)
		}
	}
	return out
}

// billionths is the exact sum of numbers that were each rounded to billionths once, ties to even.
func billionths(numbers []float64) *big.Int {
	sum := new(big.Int)
	for _, x := range numbers {
		exact := new(big.Rat).SetFloat64(x)
		exact.Mul(exact, big.NewRat(1e9, 1))
		whole, rest := new(big.Int).DivMod(exact.Num(), exact.Denom(), new(big.Int))
		switch rest.Lsh(rest, 1).Cmp(exact.Denom()) {
		case 1:
			whole.Add(whole, big.NewInt(1))
		case 0:
			whole.Add(whole, big.NewInt(int64(whole.Bit(0))))
		}
		sum.Add(sum, whole)
	}
	return sum
}

func quotient(billionths *big.Int, n int64) float64 {
	f, _ := new(big.Rat).SetFrac(billionths, new(big.Int).Mul(big.NewInt(1e9), big.NewInt(n))).Float64()
	return f
}

// text is how a group shows a value.
func text(v any) string {
	switch v := v.(type) {
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		if v == 0 {
			return "0"
		}
		if a := math.Abs(v); a >= 1e21 || a < 1e-6 {
			return strconv.FormatFloat(v, 'e', -1, 64)
		}
		return strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return v.(string)
	}
}
