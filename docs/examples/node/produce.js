// Produce group changes: node produce.js BOOTSTRAP_SERVERS SCHEMA_REGISTRY_URL TOPIC

const { randomUUID } = require("node:crypto");
const { Kafka, Partitioners, logLevel } = require("kafkajs");
const { SchemaRegistry } = require("@kafkajs/confluent-schema-registry");

// A value says which branch of the schema's union it is: JavaScript has one type for both kinds of number.
const text = (value) => ({ string: value });
const long = (value) => ({ long: value }); // a whole number within 2^53; text beyond
const double = (value) => ({ double: value });
const boolean = (value) => ({ boolean: value });
const array = (...items) => ({ array: items });
const map = (value) => ({ map: value });

// Group key, group id, and the company that it belongs to in a project with hierarchical groups.
const ACME = ["company", "acme", null];
const OLD_CO = ["company", "old-co", null];
const ANN = ["$user_id", "ann", "acme"];

const CHANGES = [
  [ACME, "SET", {
    name: text("Acme"), seats: long(250), balance: double(1299.5), trial: boolean(true), closed: null,
    renewed_at: text("2026-03-01T00:00:00"), // a date is text, in UTC
    account: text("3928097563762691601"), // so is a number beyond 2^53
    tags: array(text("beta"), text("eu")), address: map({ city: text("Oslo") }),
  }],
  [ACME, "SET_ONCE", { first_seen: text("2024-05-17T09:30:00") }],
  [ACME, "ADD", { seats: long(5), balance: double(0.5) }],
  [ACME, "UNION", { tags: array(text("priority")) }],
  [ACME, "REMOVE", { tags: text("beta") }],
  [ACME, "UNSET", ["trial"]],
  [OLD_CO, "DELETE", null],
  [ANN, "SET", { role: text("admin") }],
];

// One event. UNSET has names, DELETE has nothing, every other operation has properties.
function change([groupKey, groupId, companyId], operation, values) {
  return {
    event_id: randomUUID(),
    occurred_at: Date.now(),
    project: null,
    group_key: groupKey,
    group_id: groupId,
    operation,
    properties: Array.isArray(values) ? {} : (values ?? {}),
    property_names: Array.isArray(values) ? values : [],
    company_id: companyId,
  };
}

async function main(servers, host, topic) {
  const registry = new SchemaRegistry({ host });
  const kafka = new Kafka({ brokers: servers.split(","), logLevel: logLevel.WARN });
  const producer = kafka.producer({
    idempotent: true, // acks of all replicas, nothing written twice
    maxInFlightRequests: 1, // and with this no reordering by a retry
    createPartitioner: Partitioners.DefaultPartitioner, // as Java's: one group, one partition, whoever produces
  });
  await producer.connect();
  try {
    // The schema that is registered for the topic, whatever its version: this program registers none.
    const schema = await registry.getLatestSchemaId(`${topic}-value`);
    const messages = await Promise.all(CHANGES.map(async ([group, operation, values]) => ({
      key: `${group[0]}:${group[1]}`,
      value: await registry.encode(schema, change(group, operation, values)),
    })));
    await producer.send({ topic, messages });
  } finally {
    await producer.disconnect();
  }
}

main(...process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
