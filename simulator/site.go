package simulator

import (
	"fmt"
	"math"
	"strings"
)

// pageKind decides where a visitor goes next and how long a page is looked at.
type pageKind uint8

const (
	homePage pageKind = iota
	categoryPage
	productPage
	searchPage
	dealsPage
	blogPage
	supportPage
	signupPage
	downloadsPage
	cartPage
	checkoutPage
	paymentPage
	confirmedPage
	pageKinds
)

// page is one address of the shop.
type page struct {
	kind     pageKind
	url      string // path and query
	title    string
	absolute string // as the next page's referrer
	product  *product
}

// product is what can be bought.
type product struct {
	id       string
	category string
	price    float64 // euros
}

// site is the shop: its pages by kind, each kind with its own favourites.
type site struct {
	pages   []page
	byKind  [pageKinds][]int32
	popular [pageKinds]weighted
}

const origin = "https://shop.example.com"

func newSite() *site {
	s := &site{}
	s.add(homePage, "/", "Home")
	for _, d := range departments {
		base := "/products/" + d.name
		s.add(categoryPage, base, titleCase(d.name))
		for i, sub := range d.subs {
			s.add(categoryPage, base+"/"+sub, titleCase(sub))
			s.addProducts(d, base, sub, i)
		}
	}
	for _, q := range searches {
		s.add(searchPage, "/search?q="+strings.ReplaceAll(q, " ", "+"), "Search: "+q)
	}
	s.add(dealsPage, "/deals", "Deals")
	s.add(dealsPage, "/deals/refurbished", "Refurbished")
	for _, b := range articles {
		s.add(blogPage, "/blog/"+strings.ReplaceAll(strings.ToLower(b), " ", "-"), b)
	}
	for _, topic := range []string{"contact", "shipping", "returns", "warranty", "faq"} {
		s.add(supportPage, "/support/"+topic, titleCase(topic))
	}
	s.add(signupPage, "/account/signup", "Sign up")
	s.add(downloadsPage, "/downloads/buying-guide", "Buying guide")
	s.add(downloadsPage, "/downloads/manuals", "Manuals")
	s.add(cartPage, "/cart", "Cart")
	s.add(checkoutPage, "/checkout", "Checkout")
	s.add(paymentPage, "/checkout/payment", "Payment")
	s.add(confirmedPage, "/order/confirmed", "Thank you")
	for kind, pages := range s.byKind {
		s.popular[kind] = makeWeighted(zipf(len(pages)))
	}
	return s
}

func (s *site) add(kind pageKind, url, title string) *page {
	s.byKind[kind] = append(s.byKind[kind], int32(len(s.pages)))
	s.pages = append(s.pages, page{kind: kind, url: url, title: title, absolute: origin + url})
	return &s.pages[len(s.pages)-1]
}

func (s *site) addProducts(d department, base, sub string, nth int) {
	for i, model := range models {
		number := 10 + 7*nth + 3*i
		name := fmt.Sprintf("%s-%d", model, number)
		p := s.add(productPage, base+"/"+sub+"/"+name, titleCase(model)+fmt.Sprintf(" %d", number))
		// Prices rise with the model and end in .99, as prices do.
		price := math.Floor(d.price*(0.5+0.3*float64(i))) + 0.99
		p.product = &product{id: d.name[:2] + "-" + name, category: d.name, price: price}
	}
}

// zipf returns weights that fall with the rank, spread so that neighbours in the catalogue are not alike.
func zipf(n int) []float64 {
	weights := make([]float64, n)
	stride := 1
	if n%37 != 0 {
		stride = 37
	}
	for rank := range weights {
		weights[rank*stride%n] = math.Pow(float64(rank+1), -0.85)
	}
	return weights
}

func titleCase(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

type department struct {
	name  string
	price float64 // euros, of a middling product
	subs  []string
}

var departments = []department{
	{"laptops", 620, []string{"gaming", "ultrabooks", "workstations"}},
	{"phones", 340, []string{"flagship", "budget", "refurbished"}},
	{"audio", 75, []string{"headphones", "speakers", "earbuds"}},
	{"cameras", 410, []string{"mirrorless", "compact", "lenses"}},
	{"home", 48, []string{"lighting", "kitchen", "climate"}},
	{"wearables", 120, []string{"watches", "trackers"}},
}

var models = []string{"aurora", "basalt", "cirrus", "delta", "ember", "fjord"}

var searches = []string{
	"usb c charger", "laptop", "gaming laptop", "noise cancelling", "4k monitor", "wireless mouse", "phone case",
	"headphones", "smart watch", "keyboard", "tripod", "action camera", "desk lamp", "kettle", "air purifier",
	"earbuds", "power bank", "ssd 2tb", "docking station", "webcam", "hdmi cable", "fitness tracker", "e reader",
	"soundbar", "router", "light bulb", "camera bag", "stylus", "microphone", "gift card",
}

var articles = []string{
	"How to choose a laptop", "Ten quiet keyboards", "Night photography", "Repair or replace", "Our greenest year",
	"Headphones for small ears", "A desk that fits", "What battery health means", "Travelling light", "Smart light basics",
	"Five cameras under 500", "The return of the wired mouse",
}
