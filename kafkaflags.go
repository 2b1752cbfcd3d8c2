package main

import (
	"errors"
	"log/slog"
	"time"

	"github.com/tidemark/tidemark/processing/kafka"
)

// kafkaFlags say how connections to brokers are made.
type kafkaFlags struct {
	TLS        bool   `name:"kafka-tls" help:"Encrypt connections to brokers, and check their certificates."`
	CA         string `name:"kafka-tls-ca" placeholder:"FILE" help:"PEM file with the authorities that sign brokers' certificates. Without it: the system's."`
	Cert       string `name:"kafka-tls-cert" placeholder:"FILE" help:"PEM file with the certificate that brokers are shown."`
	Key        string `name:"kafka-tls-key" placeholder:"FILE" help:"PEM file with the private key of --kafka-tls-cert."`
	ServerName string `name:"kafka-tls-server-name" placeholder:"NAME" help:"Name that brokers' certificates must have. Without it: the host that is connected to."`

	Mechanism      string `name:"kafka-sasl-mechanism" placeholder:"NAME" help:"How brokers are told who connects: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512."`
	Username       string `name:"kafka-sasl-username" placeholder:"NAME" help:"User name for SASL."`
	PasswordFile   string `name:"kafka-sasl-password-file" placeholder:"FILE" help:"File with the password for SASL. Or the environment has it, in TIDEMARK_KAFKA_SASL_PASSWORD."`
	AllowPlaintext bool   `name:"kafka-sasl-allow-plaintext" help:"Let PLAIN send the password over connections that are not encrypted."`
}

// patienceFlags are for commands that a person waits for: a server waits for its brokers however long.
type patienceFlags struct {
	KafkaWait time.Duration `name:"kafka-wait" default:"30s" help:"How long to wait for brokers that don't answer at the beginning; 0 is for ever."`
}

func (f *patienceFlags) validate() error {
	if f.KafkaWait < 0 {
		return usageError{errors.New("--kafka-wait: must not be negative")}
	}
	return nil
}

// passwordVariable has no flag beside it: what stands on a command line is shown to all users of a machine.
const passwordVariable = "TIDEMARK_KAFKA_SASL_PASSWORD"

// security reads the files that the flags name, and reports everything that is wrong.
func (f *kafkaFlags) security(brokers []string, std *streams, logger *slog.Logger) (*kafka.Security, error) {
	password, _ := std.env(passwordVariable)
	options := kafka.SecurityOptions{
		TLS: f.TLS, CAFile: f.CA, CertFile: f.Cert, KeyFile: f.Key, ServerName: f.ServerName,
		Mechanism: kafka.Mechanism(f.Mechanism), Username: f.Username, PasswordFile: f.PasswordFile, Password: password,
		AllowPlaintext: f.AllowPlaintext,
	}
	if len(brokers) == 0 && options.Used() {
		return nil, usageError{errors.New("--kafka-tls and --kafka-sasl are for --kafka-brokers: the embedded broker has neither TLS nor users")}
	}
	security, err := kafka.OpenSecurity(options, brokers, logger)
	if err != nil {
		return nil, usageError{err}
	}
	return security, nil
}
