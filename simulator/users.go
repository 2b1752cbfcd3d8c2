package simulator

// users numbers the visitors who are known by name. Those who return do so in a round that is shuffled within sixteen
// blocks, so that a user is never on the site twice at once: rules about one visitor must not see two as one.
type users struct {
	block    int64 // users in a block, no multiple of stride
	returned int64 // visits so far
	added    int64 // users beyond the round
}

const (
	blocksInRound = 16
	stride        = 7919 // a prime, so that every user of a block has a turn
)

// newUsers sizes the round for about four hours.
func newUsers(visitsPerHour float64) *users {
	u := &users{block: max(64, int64(4*visitsPerHour/blocksInRound)+1)}
	if u.block%stride == 0 {
		u.block++
	}
	return u
}

// returning is the user of the next visit by someone who has been here before.
func (u *users) returning() int64 {
	round, place := u.returned/(u.block*blocksInRound), u.returned%(u.block*blocksInRound)
	u.returned++
	block, inBlock := place/u.block, place%u.block
	return block*u.block + (inBlock*stride+round*31)%u.block
}

// fresh is a user who has just signed up.
func (u *users) fresh() int64 {
	u.added++
	return u.block*blocksInRound + u.added
}
