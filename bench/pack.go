package bench

import "encoding/binary"

// Pack writes what was added since the last Take, one packed value a pane, as a commit does.
func (f *Fold) Pack(put func(key, value []byte)) {
	var key [18]byte
	buf := make([]byte, 0, 64<<10)
	name := func(kind byte, start int64, late bool) []byte {
		key[0] = kind
		binary.BigEndian.PutUint64(key[1:], uint64(start))
		key[9] = 0
		if late {
			key[9] = 1
		}
		return key[:10]
	}
	for _, p := range f.fives.live {
		buf = buf[:0]
		for _, n := range p.pane.byType {
			buf = binary.AppendVarint(buf, n)
		}
		put(name('5', p.start, p.late), binary.AppendVarint(buf, p.pane.views))
	}
	for _, p := range f.tens.live {
		buf = p.pane.pack(buf[:0])
		put(name('t', p.start, p.late), buf)
	}
	for _, p := range f.minutes.live {
		buf = p.pane.pages.pack(buf[:0], func(b []byte, n *int64) []byte { return binary.AppendVarint(b, *n) })
		buf = p.pane.countries.pack(buf, func(b []byte, n *int64) []byte { return binary.AppendVarint(b, *n) })
		for _, n := range p.pane.devices {
			buf = binary.AppendVarint(buf, n)
		}
		put(name('m', p.start, p.late), buf)
	}
}

// pack writes registers and buckets that are not zero as pairs.
func (p *tenPane) pack(b []byte) []byte {
	for _, registers := range []*[1 << 14]uint8{&p.visitors, &p.sessions, &p.converted} {
		last := 0
		for i, r := range registers {
			if r != 0 {
				b = append(binary.AppendUvarint(b, uint64(i-last)), r)
				last = i
			}
		}
	}
	for i, n := range p.byBucket {
		if n != 0 {
			b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(i)), n)
		}
	}
	b = binary.AppendVarint(binary.AppendVarint(b, p.events), p.loads)
	return p.revenue.pack(b, func(b []byte, m *money) []byte {
		b = binary.LittleEndian.AppendUint64(b, m.hi)
		b = binary.LittleEndian.AppendUint64(b, m.lo)
		return binary.AppendVarint(b, m.count)
	})
}

func (c *counter[V]) pack(b []byte, value func([]byte, *V) []byte) []byte {
	for i := range c.slots {
		if s := &c.slots[i]; s.taken {
			b = append(binary.AppendUvarint(b, uint64(len(s.text))), s.text...)
			b = value(b, &s.value)
		}
	}
	return value(value(b, &c.null), &c.other)
}
