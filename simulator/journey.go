package simulator

// move is what a visitor does after a page.
type move uint8

const (
	moveLeave   move = iota
	moveGo           // to a page of the kind given
	moveBuyNow       // puts the product into the cart and looks at it
	moveConvert      // fulfils what the page is for
)

// choice is one of the moves after a page, with its weight.
type choice struct {
	weight float64
	move   move
	to     pageKind
}

// journeys lists the choices after each kind of page. The funnel is product, cart, checkout, payment, purchase; no way leads
// back to an earlier part of it, and a cart is filled once a session: see visitor.bought.
var journeys = [pageKinds][]choice{
	homePage: {
		{16, moveLeave, 0}, {39, moveGo, categoryPage}, {18, moveGo, searchPage}, {12, moveGo, dealsPage},
		{5, moveGo, blogPage}, {3, moveGo, supportPage}, {7, moveGo, signupPage},
	},
	categoryPage: {
		{16, moveLeave, 0}, {54, moveGo, productPage}, {20, moveGo, categoryPage}, {10, moveGo, searchPage},
	},
	productPage: {
		{19, moveLeave, 0}, {29, moveGo, productPage}, {14, moveGo, categoryPage}, {16, moveBuyNow, cartPage},
		{8, moveGo, searchPage}, {3, moveGo, supportPage}, {8, moveGo, homePage}, {4, moveGo, dealsPage},
	},
	searchPage: {
		{19, moveLeave, 0}, {61, moveGo, productPage}, {15, moveGo, searchPage}, {5, moveGo, categoryPage},
	},
	dealsPage: {
		{20, moveLeave, 0}, {65, moveGo, productPage}, {15, moveGo, categoryPage},
	},
	blogPage: {
		{34, moveLeave, 0}, {31, moveGo, blogPage}, {15, moveGo, homePage}, {11, moveGo, productPage}, {9, moveGo, downloadsPage},
	},
	supportPage: {
		{40, moveLeave, 0}, {26, moveGo, supportPage}, {14, moveConvert, 0}, {20, moveGo, homePage},
	},
	signupPage: {
		{30, moveLeave, 0}, {52, moveConvert, 0}, {18, moveGo, homePage},
	},
	downloadsPage: {
		{40, moveLeave, 0}, {45, moveConvert, 0}, {15, moveGo, downloadsPage},
	},
	cartPage: {
		{24, moveLeave, 0}, {58, moveGo, checkoutPage}, {18, moveGo, productPage},
	},
	checkoutPage:  {{22, moveLeave, 0}, {78, moveGo, paymentPage}},
	paymentPage:   {{13, moveLeave, 0}, {87, moveConvert, 0}},
	confirmedPage: {{85, moveLeave, 0}, {15, moveGo, homePage}},
}

// goals says what a page of a kind converts to.
var goals = map[pageKind]conversionType{
	paymentPage: purchase, signupPage: signup, downloadsPage: download, supportPage: contact,
}

// conversionType is a symbol of the schema's enum; the numbers are its positions.
type conversionType uint8

const (
	purchase conversionType = iota
	signup
	download
	contact
)

var conversionNames = [...]string{"PURCHASE", "SIGNUP", "DOWNLOAD", "CONTACT"}

// patience is the median of the time that visitors look at a page, in milliseconds.
var patience = [pageKinds]float64{
	homePage: 19e3, categoryPage: 30e3, productPage: 48e3, searchPage: 22e3, dealsPage: 30e3, blogPage: 95e3, supportPage: 60e3,
	signupPage: 50e3, downloadsPage: 25e3, cartPage: 28e3, checkoutPage: 55e3, paymentPage: 45e3, confirmedPage: 15e3,
}

// heaviness is how much slower a page of a kind loads than an ordinary one.
var heaviness = [pageKinds]float64{
	homePage: 1.1, categoryPage: 1, productPage: 1.15, searchPage: 1.25, dealsPage: 1, blogPage: 0.8, supportPage: 0.7,
	signupPage: 0.7, downloadsPage: 0.7, cartPage: 0.9, checkoutPage: 1, paymentPage: 1.3, confirmedPage: 0.9,
}

// pastimes are what visitors do on a page beside looking at it: the customData of CUSTOM events.
var pastimes = [pageKinds][]string{
	homePage:     {"banner_click", "newsletter_close"},
	categoryPage: {"filter", "sort"},
	productPage:  {"zoom", "read_reviews", "wishlist", "compare"},
	searchPage:   {"filter", "sort"},
	blogPage:     {"share", "scroll_end"},
	supportPage:  {"chat_open"},
	cartPage:     {"voucher"},
}
