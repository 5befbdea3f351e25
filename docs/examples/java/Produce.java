// Produce group changes: java Produce BOOTSTRAP_SERVERS SCHEMA_REGISTRY_URL TOPIC

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.UUID;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;

public class Produce {
    public static void main(String[] arguments) throws Exception {
        String topic = arguments[2];
        Properties properties = new Properties();
        properties.put("bootstrap.servers", arguments[0]);
        properties.put("enable.idempotence", true); // acks of all replicas, and no reordering by a retry
        Frames frames = Frames.latest(arguments[1], topic + "-value");
        try (var producer = new KafkaProducer<>(properties, new StringSerializer(), new ByteArraySerializer())) {
            for (Change change : changes()) {
                String key = change.groupKey + ":" + change.groupId;
                producer.send(new ProducerRecord<>(topic, key, frames.frame(change)), Produce::delivered);
            }
        }
    }

    static void delivered(Object metadata, Exception error) {
        if (error != null) {
            error.printStackTrace();
            System.exit(1);
        }
    }

    // The union has long and double, so Integer and Float are none of it: write 250L and 1299.5.
    static List<Change> changes() {
        Map<String, Object> acme = new LinkedHashMap<>();
        acme.put("name", "Acme");
        acme.put("seats", 250L);
        acme.put("balance", 1299.5);
        acme.put("trial", true);
        acme.put("closed", null);
        acme.put("renewed_at", "2026-03-01T00:00:00"); // a date is text, in UTC
        acme.put("account", "3928097563762691601"); // so is a number beyond 2^53
        acme.put("tags", List.of("beta", "eu"));
        acme.put("address", Map.of("city", "Oslo"));
        return Arrays.asList(
            change("acme", "SET", acme, List.of()),
            change("acme", "SET_ONCE", Map.of("first_seen", "2024-05-17T09:30:00"), List.of()),
            change("acme", "ADD", Map.of("seats", 5L, "balance", 0.5), List.of()),
            change("acme", "UNION", Map.of("tags", List.of("priority")), List.of()),
            change("acme", "REMOVE", Map.of("tags", "beta"), List.of()),
            change("acme", "UNSET", Map.of(), List.of("trial")),
            change("old-co", "DELETE", Map.of(), List.of()),
            // A user of the company acme, in a project with hierarchical groups; elsewhere the company is null.
            new Change("$user_id", "ann", "acme", "SET", Map.of("role", "admin"), List.of()));
    }

    static Change change(String company, String operation, Map<String, Object> properties, List<String> names) {
        return new Change("company", company, null, operation, properties, names);
    }

    record Change(
        String groupKey,
        String groupId,
        String companyId,
        String operation,
        Map<String, Object> properties,
        List<String> names) {}

    // What Confluent's KafkaAvroSerializer does, for builds that cannot have it: byte 0, the schema's id, the data.
    record Frames(int id, Schema schema) {
        // The schema that is registered, whatever its version: this program registers none.
        static Frames latest(String registry, String subject) throws Exception {
            URI place = URI.create(registry + "/subjects/" + subject + "/versions/latest");
            var answer = HttpClient.newHttpClient().send(HttpRequest.newBuilder(place).build(), BodyHandlers.ofString());
            if (answer.statusCode() != 200) {
                throw new IOException(place + ": " + answer.statusCode() + " " + answer.body());
            }
            JsonNode found = new ObjectMapper().readTree(answer.body());
            return new Frames(found.get("id").asInt(), new Schema.Parser().parse(found.get("schema").asText()));
        }

        byte[] frame(Change change) throws IOException {
            GenericRecord record = new GenericData.Record(schema);
            record.put("event_id", UUID.randomUUID().toString());
            record.put("occurred_at", System.currentTimeMillis());
            record.put("project", null);
            record.put("group_key", change.groupKey());
            record.put("group_id", change.groupId());
            Schema operation = schema.getField("operation").schema();
            record.put("operation", new GenericData.EnumSymbol(operation, change.operation()));
            record.put("properties", change.properties());
            record.put("property_names", change.names());
            record.put("company_id", change.companyId());
            var bytes = new ByteArrayOutputStream();
            var frame = new DataOutputStream(bytes);
            frame.writeByte(0);
            frame.writeInt(id);
            BinaryEncoder encoder = EncoderFactory.get().directBinaryEncoder(frame, null);
            new GenericDatumWriter<GenericRecord>(schema).write(record, encoder);
            return bytes.toByteArray();
        }
    }
}
