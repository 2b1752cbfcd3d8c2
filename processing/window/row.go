package window

import (
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// rowOfText is rowFast for the one key of most groupings.
func (p *Pane) rowOfText(in *Input, slot int) int {
	v := &in.Row[slot]
	if v.Symbol() != 0 {
		return p.rowOfSymbol(in, v.Symbol())
	}
	if v.Kind != event.String || len(p.index) == 0 {
		return p.rowFast(in)
	}
	text, hash := v.Bytes(), in.Hash[slot]
	index := p.index
	for at := hash; ; at++ {
		s := &index[at&uint64(len(index)-1)]
		if s.tag == uint32(hash>>32) && int(s.text) == len(text) && s.row != 0 {
			start := int(s.start) + 1
			if string(p.arena[start:start+len(text)]) == string(text) {
				return int(s.row - 1)
			}
		}
		if s.row == 0 {
			return p.rowOf(in.Row)
		}
	}
}

// rowOfSymbol is rowOfText for a symbol. Its row does not change before the next trim.
func (p *Pane) rowOfSymbol(in *Input, symbol int) int {
	if symbol < len(p.bySymbol) && p.bySymbol[symbol] != 0 {
		return int(p.bySymbol[symbol] - 1)
	}
	row := p.rowOf(in.Row)
	if symbol >= len(p.bySymbol) {
		p.bySymbol = append(p.bySymbol, make([]uint32, symbol+1-len(p.bySymbol))...)
	}
	p.bySymbol[symbol] = uint32(row + 1)
	return row
}

// rowFast is rowOf without encoding the group, for one that is there already and whose values are text: then the
// group hashes like the fields.
func (p *Pane) rowFast(in *Input) int {
	hash, ok := hashOfFields(p.grouping.Keys, in)
	if !ok || len(p.index) == 0 {
		return p.rowOf(in.Row)
	}
	mask := uint64(len(p.index) - 1)
	for at := hash & mask; ; at = (at + 1) & mask {
		s := p.index[at]
		if s.row == 0 {
			return p.rowOf(in.Row)
		}
		if s.tag == uint32(hash>>32) && p.holds(int(s.row-1), in.Row) {
			return int(s.row - 1)
		}
	}
}

// hashOfFields is the hash of an event's group, from those of its fields; ok is false if a value is no text.
func hashOfFields(keys []definition.Key, in *Input) (hash uint64, ok bool) {
	for i := range keys {
		slot := keys[i].Slot
		part := in.Hash[slot]
		switch in.Row[slot].Kind {
		case event.String:
		case event.Null:
			part = nullHash
		default:
			return 0, false
		}
		if i == 0 {
			hash = part
		} else {
			hash = joinHash(hash, part)
		}
	}
	return hash, true
}

// holds reports whether a row is that of some values: texts or nulls. It may miss a row whose key is not plain.
func (p *Pane) holds(row int, values []event.Value) bool {
	if !p.rows[row].plain {
		return false
	}
	key := p.Key(row)
	for i := range p.grouping.Keys {
		v := &values[p.grouping.Keys[i].Slot]
		if v.IsNull() {
			if len(key) == 0 || key[0] != tagNull {
				return false
			}
			key = key[1:]
			continue
		}
		rest, ok := cutText(key, v.Bytes())
		if !ok {
			return false
		}
		key = rest
	}
	return len(key) == 0
}
