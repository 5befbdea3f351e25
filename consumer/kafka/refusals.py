"""Asks librdkafka itself, before anything starts, whether it takes the settings as a whole."""

from consumer.settings import Settings
from consumer.settings.properties import silent


def refused_by_client(settings: Settings) -> list[str]:
    """What the consumer or the producer has against its configuration. Nothing is connected to.

    Asked only where somebody chose something: our defaults are known to be good.
    """
    if not settings.kafka_properties and not settings.kafka_security_protocol:
        return []
    if settings.kafka_properties.get("sasl.oauthbearer.method", "").lower() == "oidc":
        return []  # the client would ask for a token at once
    from confluent_kafka import Consumer, KafkaException, Producer

    from consumer.kafka import msk
    from consumer.kafka.clients import TOKENS, without_secrets
    from consumer.kafka.config import consumer_config, producer_config

    if settings.kafka_sasl_mechanism == msk.MECHANISM:
        problem = msk.problem(settings.kafka_bootstrap_servers)
        if problem:
            return [problem]

    problems: dict[str, None] = {}
    for client, config in ((Consumer, consumer_config(settings)), (Producer, producer_config(settings))):
        config.pop("bootstrap.servers", None)
        config.pop("debug", None)
        config.pop(TOKENS, None)
        try:
            made = client(config, logger=silent())
            if isinstance(made, Consumer):
                made.close()
        except KafkaException as failure:
            problems[f"the Kafka client refuses the settings: {without_secrets(failure, config)}"] = None
    return list(problems)
