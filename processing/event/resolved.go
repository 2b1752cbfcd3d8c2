package event

// resolve executes the instructions that only programs for writers with another schema have.
func (m *machine) resolve(r *routine, pc, pos int) int {
	in := &r.code[pc]
	switch in.op {
	case readKnownEnum, skipKnownEnum:
		symbols := m.symbols[in.arg]
		symbol, next := ordinal(m.buf, pos, len(symbols), faultSymbol)
		if next < 0 {
			return next
		}
		if symbols[symbol].IsNull() {
			return m.foreign(r, pc, pos, "the events schema has no such symbol, and no default for it")
		}
		if in.op == readKnownEnum {
			m.row[in.to] = symbols[symbol]
		}
		return next
	case widen:
		m.row[in.to] = widened(m.row[in.to].Int(), int(in.arg))
	case scaleTime:
		m.row[in.to] = IntValue(floorDiv(m.row[in.to].Int(), int64(in.arg)))
	case assign:
		for _, a := range m.assigned[in.arg] {
			m.row[a.slot] = a.value
		}
	case fail:
		return m.foreign(r, pc, pos, m.failures[in.arg])
	}
	return pos
}

// widened is a whole number that its reader takes for a float of 32 or 64 bits.
func widened(n int64, bits int) Value {
	if bits == 32 {
		return FloatValue(float64(float32(n)))
	}
	return FloatValue(float64(n))
}

// foreign notes a value that its writer's schema allows, and the reader's has no place for.
func (m *machine) foreign(r *routine, pc, pos int, what string) int {
	m.fault = fault{path: r.paths[pc], at: pos, what: what, reason: IncompatibleSchema}
	return faultNoted
}
