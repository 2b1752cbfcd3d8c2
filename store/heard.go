package store

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
)

// heardKey has what others had read of results when a silent fold began, see processing.Heard.
var heardKey = append([]byte{byte(spaceMeta)}, "heard"...)

func appendHeard(dst []byte, h *processing.Heard) []byte {
	dst = binary.AppendUvarint(append(dst, formatV1), uint64(h.Revision))
	return binary.AppendVarint(dst, int64(h.Watermark))
}

func decodeHeard(value []byte) (h processing.Heard, err error) {
	d := decodeValue(value)
	revision := d.uvarint()
	if revision > math.MaxInt32 {
		d.fail("revision")
	}
	h.Revision, h.Watermark = int(revision), d.millis()
	return h, d.end()
}

func (s *Store) stageHeard(h *processing.Heard) error {
	if h == nil {
		return nil
	}
	return s.batch.Set(heardKey, appendHeard(nil, h), nil)
}

// Heard is what others had read of results when the last silent fold began; nothing if there was none.
func (v *View) Heard() (h processing.Heard, err error) {
	value, ok, err := read(v.snapshot, heardKey)
	if err == nil && ok {
		h, err = decodeHeard(value)
	}
	if err != nil {
		return h, fmt.Errorf("read what was heard: %w", err)
	}
	return h, nil
}

// HighestRevision is how far revisions have got of the windows that can still change, as Load reads them, or had got that others
// have read before.
func (v *View) HighestRevision(plan *definition.Plan) (int, error) {
	heard, err := v.Heard()
	if err != nil {
		return 0, err
	}
	highest := heard.Revision
	for i := range plan.Metrics {
		var unsettled processing.State
		if err := v.loadResults(&unsettled, &plan.Metrics[i]); err != nil {
			return 0, fmt.Errorf("results of %s: %w", plan.Metrics[i].Name, err)
		}
		for _, block := range unsettled.Results {
			for k := range block.Results {
				highest = max(highest, block.Results[k].Revision)
			}
		}
	}
	return highest, nil
}
