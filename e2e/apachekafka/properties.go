package apachekafka

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// Plaintext is the listener that every broker has: no encryption, everybody is let in.
const Plaintext = "PLAINTEXT"

// controller is the listener on which the node talks to itself.
const controller = "CONTROLLER"

// Listener is a further address of a broker.
type Listener struct {
	Name      string       // in capitals
	TLS       *Certificate // the broker's; nil: no encryption
	ClientCAs []byte       // PEM; clients must show a certificate that one of these has signed; nil: they need none
	SASL      bool         // clients must be one of the users, by PLAIN or SCRAM
}

func (l *Listener) protocol() string {
	switch {
	case l.SASL && l.TLS != nil:
		return "SASL_SSL"
	case l.SASL:
		return "SASL_PLAINTEXT"
	case l.TLS != nil:
		return "SSL"
	default:
		return "PLAINTEXT"
	}
}

var scramMechanisms = []string{"SCRAM-SHA-256", "SCRAM-SHA-512"}

// configure writes the files that the broker is started with.
func (b *Broker) configure() error {
	if err := os.WriteFile(b.file("log4j2.properties"), []byte(logProperties), 0o600); err != nil {
		return err
	}
	properties := maps.Clone(b.options.Properties)
	if properties == nil {
		properties = map[string]string{}
	}
	maps.Copy(properties, b.properties())
	var out strings.Builder
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		fmt.Fprintf(&out, "%s=%s\n", key, escapeProperty(properties[key]))
	}
	return os.WriteFile(b.file("server.properties"), []byte(out.String()), 0o600)
}

// escapeProperty writes a value of several lines, as PEM is, into one.
func escapeProperty(value string) string {
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(value)
}

// properties are those of a single node with small internal topics.
func (b *Broker) properties() map[string]string {
	p := map[string]string{
		"process.roles":                                    "broker,controller",
		"node.id":                                          "1",
		"controller.quorum.bootstrap.servers":              b.Addr(controller),
		"controller.listener.names":                        controller,
		"inter.broker.listener.name":                       Plaintext,
		"log.dirs":                                         b.file("data"),
		"auto.create.topics.enable":                        "false",
		"offsets.topic.num.partitions":                     "1",
		"offsets.topic.replication.factor":                 "1",
		"transaction.state.log.num.partitions":             "1",
		"transaction.state.log.replication.factor":         "1",
		"transaction.state.log.min.isr":                    "1",
		"share.coordinator.state.topic.num.partitions":     "1",
		"share.coordinator.state.topic.replication.factor": "1",
		"share.coordinator.state.topic.min.isr":            "1",
		"group.initial.rebalance.delay.ms":                 "0",
	}
	listeners := []string{listenerURL(controller, b), listenerURL(Plaintext, b)}
	protocols := []string{controller + ":PLAINTEXT", Plaintext + ":PLAINTEXT"}
	for i := range b.options.Listeners {
		l := &b.options.Listeners[i]
		listeners = append(listeners, listenerURL(l.Name, b))
		protocols = append(protocols, l.Name+":"+l.protocol())
		b.addListener(p, l)
	}
	p["listeners"] = strings.Join(listeners, ",")
	p["advertised.listeners"] = strings.Join(listeners[1:], ",")
	p["listener.security.protocol.map"] = strings.Join(protocols, ",")
	return p
}

func listenerURL(name string, b *Broker) string { return name + "://" + b.Addr(name) }

func (b *Broker) addListener(p map[string]string, l *Listener) {
	prefix := "listener.name." + strings.ToLower(l.Name) + "."
	if l.TLS != nil {
		p[prefix+"ssl.keystore.type"] = "PEM"
		p[prefix+"ssl.keystore.certificate.chain"] = string(l.TLS.Chain)
		p[prefix+"ssl.keystore.key"] = string(l.TLS.Key)
	}
	if l.ClientCAs != nil {
		p[prefix+"ssl.client.auth"] = "required"
		p[prefix+"ssl.truststore.type"] = "PEM"
		p[prefix+"ssl.truststore.certificates"] = string(l.ClientCAs)
	}
	if !l.SASL {
		return
	}
	p[prefix+"sasl.enabled.mechanisms"] = "PLAIN," + strings.Join(scramMechanisms, ",")
	plain := "org.apache.kafka.common.security.plain.PlainLoginModule required"
	for _, name := range slices.Sorted(maps.Keys(b.options.Users)) {
		plain += fmt.Sprintf(" user_%s=%q", name, b.options.Users[name])
	}
	p[prefix+"plain.sasl.jaas.config"] = plain + ";"
	for _, mechanism := range scramMechanisms {
		p[prefix+strings.ToLower(mechanism)+".sasl.jaas.config"] = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
	}
}

// logProperties have the tools' log apart from what they print.
const logProperties = `status = error
appender.out.type = Console
appender.out.name = out
appender.out.target = SYSTEM_ERR
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{HH:mm:ss.SSS} %p %m (%c{1})%n%throwable
rootLogger.level = ${sys:log.level}
rootLogger.appenderRef.out.ref = out
`
