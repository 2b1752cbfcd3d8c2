package apachekafka

import (
	"strings"
	"testing"
)

// What is written through the broker is there after it was stopped and started again, at the same address.
func TestBrokerKeepsWhatItWasGiven(t *testing.T) {
	a := NewAuthority(t, "authority")
	b := Start(t, Options{
		Listeners: []Listener{
			{Name: "TLS", TLS: a.Issue(t, Request{Name: "broker", Hosts: []string{"127.0.0.1"}}), ClientCAs: a.PEM},
			{Name: "SASL", SASL: true},
		},
		Users: map[string]string{"reader": `pass"word\1`},
	})
	addr := b.Addr(Plaintext)
	b.Tool(t, nil, "org.apache.kafka.tools.TopicCommand", "--bootstrap-server", addr, "--create", "--topic", "words", "--partitions", "1")
	b.Tool(t, []byte("one\ntwo\n"), "org.apache.kafka.tools.ConsoleProducer", "--bootstrap-server", addr, "--topic", "words")
	b.Restart(t)
	if b.Addr(Plaintext) != addr {
		t.Errorf("the address was %s and is %s", addr, b.Addr(Plaintext))
	}
	got := b.Tool(t, nil, "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", addr, "--topic", "words", "--from-beginning", "--max-messages", "2")
	if want := "one\ntwo\n"; !strings.Contains(got, want) {
		t.Errorf("read %q, want %q", got, want)
	}
}
