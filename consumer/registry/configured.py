"""The settings of the registry as what it is asked with."""

from consumer.registry.access import Access, Endpoint
from consumer.registry.keys import Keys
from consumer.registry.login import ClientCredentials, Headers, Login, basic, bearer, nobody
from consumer.registry.tls import Tls
from consumer.settings import Settings
from consumer.settings.secrets import Learn, Secret, unlearnt


def access(settings: Settings, learn: Learn = unlearnt) -> Access:
    """That of the settings; `learn` is told each secret that changes."""
    tls = Tls(
        settings.schema_registry_ca_location,
        settings.schema_registry_certificate_location,
        settings.schema_registry_key_location,
        Secret(settings, "SCHEMA_REGISTRY_KEY_PASSWORD", learn).text,
    )
    login = login_of(settings, tls, learn)
    return Access(tuple(Endpoint(url, login) for url in settings.schema_registry_url), tls)


def keys(settings: Settings, learn: Learn = unlearnt) -> Keys:
    """Those of encrypted fields; none is had yet."""
    return Keys(Secret(settings, "SCHEMA_RULES_LOCAL_SECRET", learn).text)


def login_of(settings: Settings, tls: Tls, learn: Learn) -> Login:
    """The one way to log in that is given; tokens are had once for all registries."""
    user = settings.schema_registry_username
    if user:
        return basic(user, Secret(settings, "SCHEMA_REGISTRY_PASSWORD", learn).text)
    if settings.schema_registry_token:
        return bearer(Secret(settings, "SCHEMA_REGISTRY_TOKEN", learn).text, beside(settings))
    if settings.schema_registry_oauth_url:
        return ClientCredentials(
            settings.schema_registry_oauth_url,
            settings.schema_registry_oauth_client_id,
            Secret(settings, "SCHEMA_REGISTRY_OAUTH_CLIENT_SECRET", learn).text,
            settings.schema_registry_oauth_scope,
            beside(settings),
            tls=tls,
        )
    return nobody()


def beside(settings: Settings) -> Headers:
    """What Confluent Cloud wants to know beside a token."""
    named = {
        "target-sr-cluster": settings.schema_registry_cluster,
        "Confluent-Identity-Pool-Id": settings.schema_registry_identity_pool,
    }
    return {name: value for name, value in named.items() if value}
