package wire

import "testing"

func FuzzParseSpan(f *testing.F) {
	for _, text := range []string{"15m", "7d", "106751d", "106752d", "-1s", "9223372036854775807ns", "1h-1h"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseSpan(text)
		if err != nil {
			return
		}
		if again, err := ParseSpan(d.String()); d < 0 || err != nil || again != d {
			t.Errorf("%q is %v, which is %v, %v", text, d, again, err)
		}
	})
}
