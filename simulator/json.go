package simulator

import "strconv"

// appendJSON appends the message as one JSON object: the Avro field names, plain values, nullable fields left out when null.
func appendJSON(dst []byte, m *message) []byte {
	dst = append(dst, `{"eventId":`...)
	dst = appendJSONText(dst, m.id[:])
	dst = append(dst, `,"timestamp":`...)
	dst = strconv.AppendInt(dst, int64(m.time), 10)
	dst = appendMember(dst, `,"eventType":`, eventNames[m.kind])
	dst = appendMember(dst, `,"userId":`, m.user)
	dst = appendMember(dst, `,"sessionId":`, m.session[:])
	if v := m.view; v != nil {
		dst = appendMember(dst, `,"pageViewData":{"url":`, v.page.url)
		dst = appendMember(dst, `,"title":`, v.page.title)
		dst = appendMember(dst, `,"referrer":`, v.referrer)
		if v.loadTime != 0 {
			dst = append(dst, `,"pageLoadTime":`...)
			dst = strconv.AppendInt(dst, int64(v.loadTime), 10)
		}
		dst = append(dst, '}')
	}
	dst = appendMember(dst, `,"sessionData":{"userAgent":`, m.audience.agent.userAgent)
	dst = appendMember(dst, `,"ipAddress":`, m.audience.ip)
	dst = appendMember(dst, `,"country":`, m.audience.country)
	dst = appendMember(dst, `,"city":`, m.audience.city)
	dst = appendMember(dst, `,"deviceType":`, deviceNames[m.audience.agent.device])
	dst = appendMember(dst, `,"browser":`, m.audience.agent.browser)
	dst = appendMember(dst, `,"os":`, m.audience.agent.os)
	dst = append(dst, '}')
	dst = appendConversionJSON(dst, m.conversion)
	dst = appendCustomJSON(dst, m.custom)
	dst = appendMember(dst, `,"metadata":{"source":`, metaSource)
	dst = appendMember(dst, `,"version":`, metaVersion)
	dst = appendMember(dst, `,"environment":`, metaEnvironment)
	return append(dst, `}}`...)
}

func appendConversionJSON(dst []byte, c *conversion) []byte {
	if c == nil {
		return dst
	}
	dst = appendMember(dst, `,"conversionData":{"conversionType":`, conversionNames[c.kind])
	if c.value != 0 {
		dst = append(dst, `,"value":`...)
		dst = strconv.AppendFloat(dst, c.value, 'f', -1, 64)
	}
	dst = appendMember(dst, `,"currency":`, c.currency)
	dst = appendMember(dst, `,"productId":`, c.product)
	dst = appendMember(dst, `,"category":`, c.category)
	return append(dst, '}')
}

func appendCustomJSON(dst []byte, attributes []attribute) []byte {
	if attributes == nil {
		return dst
	}
	dst = append(dst, `,"customData":{`...)
	for i, a := range attributes {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendJSONText(dst, a.key)
		dst = append(dst, ':')
		dst = appendJSONText(dst, a.value)
	}
	return append(dst, '}')
}

// appendMember appends a member whose name stands ready, and nothing at all for an empty value.
func appendMember[T string | []byte](dst []byte, name string, value T) []byte {
	if len(value) == 0 {
		return dst
	}
	return appendJSONText(append(dst, name...), value)
}

// appendJSONText appends a string of UTF-8, escaped as RFC 8259 demands.
func appendJSONText[T string | []byte](dst []byte, s T) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
