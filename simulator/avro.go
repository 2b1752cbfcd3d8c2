package simulator

import (
	"encoding/binary"
	"math"
)

// appendAvro appends the message as raw binary Avro, written by hand in the order of the schema's fields.
func appendAvro(dst []byte, m *message) []byte {
	dst = appendText(dst, m.id[:])
	dst = binary.AppendVarint(dst, int64(m.time))
	dst = binary.AppendVarint(dst, int64(m.kind))
	if m.user == nil {
		dst = append(dst, avroNull)
	} else {
		dst = appendText(append(dst, avroSome), m.user)
	}
	dst = appendText(dst, m.session[:])
	dst = appendView(dst, m.view)
	dst = appendAudience(dst, &m.audience)
	dst = appendConversion(dst, m.conversion)
	dst = appendCustom(dst, m.custom)
	dst = appendText(dst, metaSource)
	dst = appendText(dst, metaVersion)
	return appendText(dst, metaEnvironment)
}

// The branches of a union of null and something.
const (
	avroNull = 0 // zigzag of 0
	avroSome = 2 // zigzag of 1
)

func appendView(dst []byte, v *view) []byte {
	if v == nil {
		return append(dst, avroNull)
	}
	dst = append(dst, avroSome)
	dst = appendText(dst, v.page.url)
	dst = appendText(dst, v.page.title)
	dst = appendOptional(dst, v.referrer)
	if v.loadTime == 0 {
		return append(dst, avroNull)
	}
	return binary.AppendVarint(append(dst, avroSome), int64(v.loadTime))
}

func appendAudience(dst []byte, a *audience) []byte {
	dst = append(dst, avroSome)
	dst = appendText(dst, a.agent.userAgent)
	dst = appendText(dst, a.ip)
	dst = appendOptional(dst, a.country)
	dst = appendOptional(dst, a.city)
	dst = binary.AppendVarint(dst, int64(a.agent.device))
	dst = appendOptional(dst, a.agent.browser)
	return appendOptional(dst, a.agent.os)
}

func appendConversion(dst []byte, c *conversion) []byte {
	if c == nil {
		return append(dst, avroNull)
	}
	dst = append(dst, avroSome)
	dst = binary.AppendVarint(dst, int64(c.kind))
	if c.value == 0 {
		dst = append(dst, avroNull)
	} else {
		dst = binary.LittleEndian.AppendUint64(append(dst, avroSome), math.Float64bits(c.value))
	}
	dst = appendOptional(dst, c.currency)
	dst = appendOptional(dst, c.product)
	return appendOptional(dst, c.category)
}

func appendCustom(dst []byte, attributes []attribute) []byte {
	if attributes == nil {
		return append(dst, avroNull)
	}
	dst = append(dst, avroSome)
	if len(attributes) > 0 { // an empty map has no block but the end
		dst = binary.AppendVarint(dst, int64(len(attributes)))
	}
	for _, a := range attributes {
		dst = appendText(dst, a.key)
		dst = appendText(dst, a.value)
	}
	return append(dst, 0)
}

func appendOptional(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, avroNull)
	}
	return appendText(append(dst, avroSome), s)
}

func appendText[T string | []byte](dst []byte, s T) []byte {
	dst = binary.AppendVarint(dst, int64(len(s)))
	return append(dst, s...)
}
