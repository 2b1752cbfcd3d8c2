package simulator

// country is where visitors come from. The prices they pay are in its currency.
type country struct {
	name      string
	weight    float64 // share of an average day, in per cent
	utcOffset float64 // hours
	currency  string
	cities    []string // the first ones are bigger
}

var countries = []country{
	{"United States", 27, -6, "USD", []string{"New York", "Los Angeles", "Chicago", "Houston", "Seattle", "Denver", "Boston"}},
	{"Germany", 11, 1, "EUR", []string{"Berlin", "Hamburg", "München", "Köln", "Leipzig"}},
	{"United Kingdom", 9, 0, "GBP", []string{"London", "Manchester", "Glasgow", "Bristol"}},
	{"France", 7, 1, "EUR", []string{"Paris", "Lyon", "Marseille", "Lille"}},
	{"Japan", 7, 9, "JPY", []string{"Tokyo", "Osaka", "Nagoya", "Sapporo"}},
	{"India", 6, 5.5, "INR", []string{"Mumbai", "Bengaluru", "Delhi", "Pune"}},
	{"Canada", 4, -5, "CAD", []string{"Toronto", "Montréal", "Vancouver"}},
	{"Brazil", 4, -3, "BRL", []string{"São Paulo", "Rio de Janeiro", "Curitiba"}},
	{"Australia", 3, 10, "AUD", []string{"Sydney", "Melbourne", "Perth"}},
	{"Netherlands", 3, 1, "EUR", []string{"Amsterdam", "Rotterdam", "Utrecht"}},
	{"Spain", 3, 1, "EUR", []string{"Madrid", "Barcelona", "Valencia"}},
	{"Italy", 3, 1, "EUR", []string{"Milano", "Roma", "Torino"}},
	{"Poland", 2.2, 1, "PLN", []string{"Warszawa", "Kraków", "Gdańsk"}},
	{"Sweden", 1.8, 1, "SEK", []string{"Stockholm", "Göteborg", "Malmö"}},
	{"Mexico", 1.8, -6, "MXN", []string{"Ciudad de México", "Guadalajara", "Monterrey"}},
	{"South Korea", 1.6, 9, "KRW", []string{"Seoul", "Busan"}},
	{"Switzerland", 1.2, 1, "CHF", []string{"Zürich", "Genève", "Basel"}},
	{"Austria", 1, 1, "EUR", []string{"Wien", "Graz"}},
	{"Ireland", 0.7, 0, "EUR", []string{"Dublin", "Cork"}},
	{"Portugal", 0.7, 0, "EUR", []string{"Lisboa", "Porto"}},
	{"Norway", 0.6, 1, "NOK", []string{"Oslo", "Bergen"}},
	{"Singapore", 0.6, 8, "SGD", []string{"Singapore"}},
	{"South Africa", 0.5, 2, "ZAR", []string{"Cape Town", "Johannesburg"}},
	{"New Zealand", 0.3, 12, "NZD", []string{"Auckland", "Wellington"}},
}

// perEuro is what one euro of the catalogue's prices costs, in round figures.
var perEuro = map[string]float64{
	"EUR": 1, "USD": 1.1, "GBP": 0.85, "JPY": 160, "INR": 92, "CAD": 1.5, "BRL": 6, "AUD": 1.65, "PLN": 4.3,
	"SEK": 11.3, "MXN": 20, "KRW": 1480, "CHF": 0.95, "NOK": 11.6, "SGD": 1.45, "ZAR": 20, "NZD": 1.8,
}

// withoutCents are the currencies whose prices are whole numbers.
var withoutCents = map[string]bool{"JPY": true, "KRW": true}

// deviceType is a symbol of the schema's enum; the numbers are its positions.
type deviceType uint8

const (
	desktop deviceType = iota
	mobile
	tablet
	unknownDevice
)

var deviceNames = [...]string{"DESKTOP", "MOBILE", "TABLET", "UNKNOWN"}

// agent is what a visitor browses with. Empty strings are null.
type agent struct {
	weight    float64
	device    deviceType
	browser   string
	os        string
	userAgent string
	slowness  float64 // of page loads, against a desktop
}

var agents = []agent{
	{21, desktop, "Chrome", "Windows", "Mozilla/5.0 (Windows NT 10.0) Chrome/141.0", 1},
	{9, desktop, "Edge", "Windows", "Mozilla/5.0 (Windows NT 10.0) Edg/141.0", 1},
	{3, desktop, "Firefox", "Windows", "Mozilla/5.0 (Windows NT 10.0) Firefox/144.0", 1.05},
	{6, desktop, "Safari", "macOS", "Mozilla/5.0 (Macintosh) Safari/26.0", 0.9},
	{5, desktop, "Chrome", "macOS", "Mozilla/5.0 (Macintosh) Chrome/141.0", 0.9},
	{2, desktop, "Firefox", "Linux", "Mozilla/5.0 (X11; Linux) Firefox/144.0", 1},
	{24, mobile, "Safari", "iOS", "Mozilla/5.0 (iPhone) Safari/26.0", 1.2},
	{20, mobile, "Chrome", "Android", "Mozilla/5.0 (Android 16) Chrome/141.0", 1.45},
	{3, mobile, "Samsung Internet", "Android", "Mozilla/5.0 (Android 15) SamsungBrowser/28.0", 1.5},
	{4, tablet, "Safari", "iPadOS", "Mozilla/5.0 (iPad) Safari/26.0", 1.1},
	{1.5, tablet, "Chrome", "Android", "Mozilla/5.0 (Android 15; Tablet) Chrome/140.0", 1.4},
	{1.5, unknownDevice, "", "", "ShopReader/2.1", 1},
}

// referrer is where a visitor comes from. An empty url is null: typed in, or hidden.
type referrer struct {
	weight float64
	url    string
	entry  [4]float64 // weights of the entries below
}

// The kinds of entry pages, in the order of referrer.entry.
var entryKinds = [4]pageKind{homePage, categoryPage, productPage, blogPage}

var referrers = []referrer{
	{37, "", [4]float64{70, 15, 10, 5}},
	{33, "https://www.google.com/", [4]float64{30, 30, 30, 10}},
	{6, "https://www.bing.com/", [4]float64{35, 30, 30, 5}},
	{5, "https://duckduckgo.com/", [4]float64{30, 30, 30, 10}},
	{8, "https://www.instagram.com/", [4]float64{15, 25, 50, 10}},
	{5, "https://www.reddit.com/", [4]float64{5, 10, 45, 40}},
	{4, "https://news.example.org/", [4]float64{10, 0, 10, 80}},
	{2, "https://prices.example.net/", [4]float64{0, 5, 95, 0}},
}
