"""Credentials and properties: where they come from, and how their change replaces the pods."""

import base64

SASL = {"mechanism": "SCRAM-SHA-512", "username": "me", "existingSecret": "sasl"}
STATIC = {"staticMembership": {"enabled": True}, "replicas": 2}


def sources(pod):
    """What the configuration volume has: file to kind, name and key."""
    volume = next(volume for volume in pod["spec"]["volumes"] if volume["name"] == "configuration")
    found = {}
    for source in volume["projected"]["sources"]:
        ((kind, one),) = source.items()
        for item in one.get("items", [{"path": "*", "key": "*"}]):
            found[item["path"]] = (kind, one["name"], item["key"])
    return found


def test_credentials_are_files(chart):
    """By default no credential is in the environment: a `_FILE` variable names a file from the Secret."""
    values = {"kafka": {"securityProtocol": "SASL_SSL", "sasl": SASL}}
    env = chart.env(**values)
    assert env["MIXPANEL_TOKEN_FILE"] == "/etc/group-consumer/mixpanel-token"
    assert env["KAFKA_SASL_PASSWORD_FILE"] == "/etc/group-consumer/kafka-sasl-password"
    assert not {"MIXPANEL_TOKEN", "KAFKA_SASL_PASSWORD"} & env.keys()
    assert sources(chart.pod(**values)) == {
        "mixpanel-token": ("secret", "mixpanel", "token"),
        "kafka-sasl-password": ("secret", "sasl", "password"),
    }


def test_credentials_may_be_variables(chart):
    """With `env` they come by secretKeyRef, and nothing is mounted."""
    values = {"kafka": {"securityProtocol": "SASL_SSL", "sasl": SASL}, "secrets": {"delivery": "env"}}
    env = chart.env(**values)
    assert env["MIXPANEL_TOKEN"] == {"secretKeyRef": {"name": "mixpanel", "key": "token"}}
    assert env["KAFKA_SASL_PASSWORD"] == {"secretKeyRef": {"name": "sasl", "key": "password"}}
    assert not [name for name in env if name.endswith("_FILE")]
    assert "configuration" not in {volume["name"] for volume in chart.pod(**values)["spec"]["volumes"]}


def test_a_user_name_may_come_from_the_secret(chart):
    """As with a Confluent Cloud API key, whose two halves are in one Secret."""
    sasl = {"mechanism": "PLAIN", "existingSecret": "key", "usernameKey": "user", "passwordKey": "secret"}
    registry = {"existingSecret": "key", "usernameKey": "registry-user", "passwordKey": "registry-secret"}
    env = chart.env(kafka={"securityProtocol": "SASL_SSL", "sasl": sasl}, schemaRegistry=registry)
    assert env["KAFKA_SASL_USERNAME"] == {"secretKeyRef": {"name": "key", "key": "user"}}
    assert env["SCHEMA_REGISTRY_USERNAME"] == {"secretKeyRef": {"name": "key", "key": "registry-user"}}


def test_a_token_may_log_in_to_the_registry(chart):
    """A bearer token takes the place of user and password."""
    env = chart.env(schemaRegistry={"existingSecret": "registry", "tokenKey": "bearer"})
    assert "SCHEMA_REGISTRY_TOKEN_FILE" in env
    assert not {"SCHEMA_REGISTRY_PASSWORD_FILE", "SCHEMA_REGISTRY_USERNAME"} & env.keys()


def test_a_strimzi_user_fits_by_default(chart):
    """The keys of the Secrets that Strimzi makes are the defaults: ca.crt, user.crt, user.key, password."""
    tls = {"caSecret": "cluster-ca-cert", "clientSecret": "kafka-user", "privateKeyPasswordKey": "user.password"}
    values = {"kafka": {"securityProtocol": "SSL", "tls": tls}}
    assert sources(chart.pod(**values)) == {
        "mixpanel-token": ("secret", "mixpanel", "token"),
        "kafka-ca.crt": ("secret", "cluster-ca-cert", "ca.crt"),
        "kafka-client.crt": ("secret", "kafka-user", "user.crt"),
        "kafka-client.key": ("secret", "kafka-user", "user.key"),
        "kafka-ssl-key-password": ("secret", "kafka-user", "user.password"),
    }


def test_credentials_in_the_values_make_a_secret(chart):
    """For a trial: the chart's own Secret has them, and its change replaces the pods."""
    values = {"mixpanel": {"existingSecret": "", "token": "abc"}}
    secret = chart.one("Secret", **values)
    assert base64.b64decode(secret["data"]["mixpanel-token"]) == b"abc"
    assert sources(chart.pod(**values)) == {
        "mixpanel-token": ("secret", secret["metadata"]["name"], "mixpanel-token")
    }
    checksum = chart.pod(**values)["metadata"]["annotations"]["checksum/secret"]
    other = chart.pod(mixpanel={"existingSecret": "", "token": "abd"})
    assert other["metadata"]["annotations"]["checksum/secret"] != checksum
    assert "Secret" not in chart.kinds()


def test_a_changed_existing_secret_can_replace_the_pods(chart):
    """By a revision in the values, or by the annotation that Reloader watches."""
    assert chart.pod(secrets={"revision": "2"}) != chart.pod(secrets={"revision": "1"})
    annotations = chart.one("Deployment", secrets={"reloader": True})["metadata"]["annotations"]
    assert annotations["reloader.stakater.com/auto"] == "true"


def test_properties_are_a_file_whose_change_replaces_the_pods(chart):
    """Numbers stay as they were written, however large."""
    values = {"kafka": {"properties": {"fetch.max.bytes": 52428800, "client.rack": "a", "check.crcs": True}}}
    data = chart.one("ConfigMap", **values)["data"]
    assert data == {"kafka.properties": "check.crcs=true\nclient.rack=a\nfetch.max.bytes=52428800\n"}
    assert chart.env(**values)["KAFKA_PROPERTIES_FILE"] == "/etc/group-consumer/kafka.properties"
    assert "checksum/properties" in chart.pod(**values)["metadata"]["annotations"]
    assert "ConfigMap" not in chart.kinds()


def test_properties_may_be_secret(chart):
    """A whole file from a Secret, such as one with an OAuth client's secret."""
    values = {"kafka": {"propertiesSecret": {"name": "oauth"}}}
    assert sources(chart.pod(**values))["kafka.properties"] == ("secret", "oauth", "kafka.properties")
    assert chart.env(**values)["KAFKA_PROPERTIES_FILE"] == "/etc/group-consumer/kafka.properties"


def test_projects(chart):
    """The file of projects is from a Secret; with it there need be no default project."""
    values = {"mixpanel": {"existingSecret": "", "projects": {"existingSecret": "many"}}}
    assert sources(chart.pod(**values))["projects.toml"] == ("secret", "many", "projects.toml")
    env = chart.env(**values)
    assert env["MIXPANEL_PROJECTS_FILE"] == "/etc/group-consumer/projects.toml"
    assert not {"MIXPANEL_TOKEN", "MIXPANEL_TOKEN_FILE"} & env.keys()


def test_projects_in_the_values_make_a_secret(chart):
    """The chart's own Secret has the file; it is mounted where the service and the pod of `helm test` look for it."""
    file = '[emea]\ntoken = "abc"\nregion = "eu"\n'
    values = {"mixpanel": {"existingSecret": "", "projects": {"file": file}}}
    values |= {"tests": {"canary": "company", "canaryProject": "emea"}}
    secret = chart.one("Secret", **values)
    assert base64.b64decode(secret["data"]["projects.toml"]).decode() == file
    own = ("secret", secret["metadata"]["name"], "projects.toml")
    assert sources(chart.pod(**values)) == {"projects.toml": own}
    test = chart.one("Pod", **values)
    assert sources(test) == {"projects.toml": own}
    (container,) = test["spec"]["containers"]
    assert {"name": "MIXPANEL_PROJECTS_FILE", "value": "/etc/group-consumer/projects.toml"} in container["env"]
    assert container["args"] == ["check", "--canary", "company", "--project", "emea"]
    more = chart.pod(mixpanel={"existingSecret": "", "projects": {"file": file + "[us]\ntoken = 'x'\n"}})
    checksum = chart.pod(**values)["metadata"]["annotations"]["checksum/secret"]
    assert more["metadata"]["annotations"]["checksum/secret"] != checksum


def test_a_mapping_file(chart):
    """Its text is a ConfigMap of the chart's, and a change replaces the pods; or one that there is has it."""
    text = 'version = 1\n[[rule]]\nname = "a"\n\n[rule.set]\n"$name" = "value.name"\n'
    values = {"mapping": {"text": text, "hashKey": {"existingSecret": "hash"}}}
    made, file = chart.one("ConfigMap", **values), "/etc/group-consumer/mapping.toml"
    assert made["data"] == {"mapping.toml": text}
    assert sources(chart.pod(**values))["mapping.toml"] == ("configMap", made["metadata"]["name"], "mapping.toml")
    checksum = chart.pod(**values)["metadata"]["annotations"]["checksum/mapping"]
    assert chart.pod(mapping={"text": text + "#"})["metadata"]["annotations"]["checksum/mapping"] != checksum
    commands = [one["spec"]["containers"][0]["args"] for one in chart.objects(**values) if one["kind"] == "Pod"]
    assert commands == [["check"], ["map", "check"]]
    env = chart.env(**values)
    assert (env["MAPPING_FILE"], env["MAPPING_HASH_KEY_FILE"]) == (file, "/etc/group-consumer/mapping-hash-key")
    theirs = {"mapping": {"existingConfigMap": "companies", "key": "companies.toml"}}
    assert sources(chart.pod(**theirs))["mapping.toml"] == ("configMap", "companies", "companies.toml")
    assert chart.env(**theirs)["MAPPING_FILE"] == file
    assert "MAPPING_FILE" not in chart.env()


def test_static_members_have_names_that_stay(chart):
    """A StatefulSet, each pod with a properties file of its own name; started together, replaced one by one."""
    spec = chart.one("StatefulSet", **STATIC)["spec"]
    assert spec["podManagementPolicy"] == "Parallel"
    env = [entry["name"] for entry in spec["template"]["spec"]["containers"][0]["env"]]
    assert env.index("POD_NAME") < env.index("KAFKA_PROPERTIES_FILE")
    assert chart.env(**STATIC)["KAFKA_PROPERTIES_FILE"] == "/etc/group-consumer/$(POD_NAME).properties"
    name = "rel-mixpanel-group-consumer"
    data = chart.one("ConfigMap", **STATIC)["data"]
    assert data.keys() == {"kafka.properties", f"{name}-0.properties", f"{name}-1.properties"}
    assert data[f"{name}-1.properties"] == f"session.timeout.ms=120000\ngroup.instance.id={name}-1\n"
    assert "Deployment" not in chart.kinds(**STATIC)


def test_a_check_is_no_static_member(chart):
    """A check or a replay beside static members would fence the one whose name it took: it takes none."""
    env = chart.one("Pod", **STATIC)["spec"]["containers"][0]["env"]
    assert {"name": "KAFKA_PROPERTIES_FILE", "value": "/etc/group-consumer/kafka.properties"} in env
    assert "group.instance.id" not in chart.one("ConfigMap", **STATIC)["data"]["kafka.properties"]


def test_more_static_members_restart_none(chart):
    """Another number of replicas leaves the pods as they are."""
    assert chart.pod(**STATIC) == chart.pod(**(STATIC | {"replicas": 3}))


def test_the_broker_decides_the_session_under_the_new_protocol(chart):
    """With group.protocol=consumer no session timeout is written: librdkafka refuses it there."""
    values = STATIC | {"kafka": {"properties": {"group.protocol": "consumer"}}}
    assert "session.timeout.ms" not in str(chart.one("ConfigMap", **values))
