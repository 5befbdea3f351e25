"""What to do about a registry that gives no answer, by the cause of the outage."""

from typing import Final

from consumer.http.environment import ADVICE as OF_ENVIRONMENT
from consumer.http.environment import environment

LOGIN: Final = (
    "check SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD, SCHEMA_REGISTRY_TOKEN, or what the registry lets "
    "SCHEMA_REGISTRY_OAUTH_CLIENT_ID do"
)
PROVIDER: Final = "check SCHEMA_REGISTRY_OAUTH_CLIENT_ID and SCHEMA_REGISTRY_OAUTH_CLIENT_SECRET"
ADVICE: Final = {
    "status_401": LOGIN,
    "status_403": "these credentials may not do this: ask for the right, or take others",
    "status_404": "is SCHEMA_REGISTRY_URL complete, with its path? A registry without GUIDs answers so, too",
    "dns": "the host's name does not resolve: check SCHEMA_REGISTRY_URL",
    "connection": "nothing answers there: check SCHEMA_REGISTRY_URL, and that the registry runs",
    "timeout": "no answer in time: check the network, and that the registry is well",
    "proxy": "the proxy of HTTPS_PROXY or HTTP_PROXY refuses: add the host to NO_PROXY",
    "tls": "its certificate is not trusted, or ours not by it: check SCHEMA_REGISTRY_CA_LOCATION and "
    "SCHEMA_REGISTRY_CERTIFICATE_LOCATION",
    "certificate": "a file of certificates cannot be used: check SCHEMA_REGISTRY_CERTIFICATE_LOCATION, "
    "SCHEMA_REGISTRY_KEY_LOCATION, SCHEMA_REGISTRY_KEY_PASSWORD and SCHEMA_REGISTRY_CA_LOCATION",
    "unreadable": "the answer is no registry's: check SCHEMA_REGISTRY_URL",
    "key_unknown": "let its keys be in the registry (its DEK endpoints), and these credentials read them",
    "key_registry": "let these credentials read the registry's DEK endpoints (in Confluent Cloud DeveloperRead on "
    "the key-encryption keys), and see that they answer",
    "key_other": "what the rule means and what the registry has differ: let whoever registers rules and keys look",
    "kms": "let this service unwrap with the key of that KMS, by the credentials of its SDK's environment; "
    "SCHEMA_RULES_LOCAL_SECRET for local-kms",
    "request": "no request could be made: check SCHEMA_REGISTRY_URL",
    **OF_ENVIRONMENT,
}
OAUTH: Final = {
    "status_400": f"the provider refuses: {PROVIDER}, and SCHEMA_REGISTRY_OAUTH_SCOPE",
    "status_401": f"the provider refuses: {PROVIDER}",
    "tls": "the provider's certificate is not trusted: add its authority to SCHEMA_REGISTRY_CA_LOCATION",
    **OF_ENVIRONMENT,
}


def advice(cause: str) -> str:
    """What to do, in a few words; causes with `oauth_` before them are those of the provider of tokens."""
    word = cause.removeprefix("oauth_")
    if word != cause:
        sentence = OAUTH.get(word, "no token is had: check SCHEMA_REGISTRY_OAUTH_URL")
    else:
        sentence = ADVICE.get(cause, "see its log")
    said = environment(word)
    return f"{sentence} ({said})" if said else sentence
