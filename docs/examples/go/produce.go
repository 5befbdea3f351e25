// Produce group changes: go run . BOOTSTRAP_SERVERS SCHEMA_REGISTRY_URL TOPIC
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/hamba/avro/v2"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

type Change struct {
	EventID       string         `avro:"event_id"`
	OccurredAt    time.Time      `avro:"occurred_at"`
	Project       *string        `avro:"project"`
	GroupKey      string         `avro:"group_key"`
	GroupID       string         `avro:"group_id"`
	Operation     string         `avro:"operation"`
	Properties    map[string]any `avro:"properties"`
	PropertyNames []string       `avro:"property_names"`
	CompanyID     *string        `avro:"company_id"`
}

// A whole number is int64, any other float64; arrays and objects name their branch of the schema's union.
func changes() []Change {
	type values = map[string]any
	array := func(items ...any) values { return values{"array": items} }
	object := func(fields values) values { return values{"map": fields} }
	company := "acme" // of a user, in a project with hierarchical groups; else nil
	return []Change{
		{GroupKey: "company", GroupID: "acme", Operation: "SET", Properties: values{
			"name": "Acme", "seats": int64(250), "balance": 1299.5, "trial": true, "closed": nil,
			"renewed_at": "2026-03-01T00:00:00", // a date is text, in UTC
			"account":    "3928097563762691601", // so is a number beyond 2^53
			"tags":       array("beta", "eu"), "address": object(values{"city": "Oslo"}),
		}},
		{GroupKey: "company", GroupID: "acme", Operation: "SET_ONCE", Properties: values{"first_seen": "2024-05-17T09:30:00"}},
		{GroupKey: "company", GroupID: "acme", Operation: "ADD", Properties: values{"seats": int64(5), "balance": 0.5}},
		{GroupKey: "company", GroupID: "acme", Operation: "UNION", Properties: values{"tags": array("priority")}},
		{GroupKey: "company", GroupID: "acme", Operation: "REMOVE", Properties: values{"tags": "beta"}},
		{GroupKey: "company", GroupID: "acme", Operation: "UNSET", PropertyNames: []string{"trial"}},
		{GroupKey: "company", GroupID: "old-co", Operation: "DELETE"},
		{GroupKey: "$user_id", GroupID: "ann", CompanyID: &company, Operation: "SET", Properties: values{"role": "admin"}},
	}
}

func main() {
	servers, registry, topic := os.Args[1], os.Args[2], os.Args[3]
	if err := produce(context.Background(), servers, registry, topic); err != nil {
		log.Fatal(err)
	}
}

func produce(ctx context.Context, servers, registry, topic string) error {
	schemas, err := sr.NewClient(sr.URLs(registry))
	if err != nil {
		return err
	}
	// The schema that is registered for the topic, whatever its version: this program registers none.
	latest, err := schemas.SchemaByVersion(ctx, topic+"-value", -1)
	if err != nil {
		return err
	}
	schema, err := avro.Parse(latest.Schema.Schema)
	if err != nil {
		return err
	}
	// Idempotent by default, and its partitioner hashes keys as Java's does: one group, one partition.
	producer, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(servers, ",")...), kgo.DefaultProduceTopic(topic))
	if err != nil {
		return err
	}
	defer producer.Close()
	var records []*kgo.Record
	for number, change := range changes() {
		change.EventID = fmt.Sprintf("%d-%d", time.Now().UnixNano(), number)
		change.OccurredAt = time.Now()
		value, err := encode(latest.ID, schema, change)
		if err != nil {
			return err
		}
		key := change.GroupKey + ":" + change.GroupID
		records = append(records, &kgo.Record{Key: []byte(key), Value: value})
	}
	return producer.ProduceSync(ctx, records...).FirstErr()
}

// Confluent's frame (byte 0, the schema's id), then the data.
func encode(id int, schema avro.Schema, change Change) ([]byte, error) {
	frame, err := new(sr.ConfluentHeader).AppendEncode(nil, id, nil)
	if err != nil {
		return nil, err
	}
	encoded, err := avro.Marshal(schema, change)
	return append(frame, encoded...), err
}
