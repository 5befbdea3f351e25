"""Mixpanel behind TLS, as the real one is."""

from tests.integration.events import changed
from tests.integration.watching import until
from tests.security.tunnel import Tunnel


def test_a_private_authority_is_taken_where_it_is_told(broker, new_world, mixpanel, serving):
    """REQUESTS_CA_BUNDLE names the authority of a proxy that ends TLS."""
    tls, ca = serving()
    with Tunnel(tls, mixpanel.port) as tunnel:
        world = new_world(broker)
        world.run(MIXPANEL_URL=tunnel.url, REQUESTS_CA_BUNDLE=str(ca))
        world.send(changed("a", plan="x"))
        world.settled()
        assert world.profile("a") == {"plan": "x"}


def test_a_stranger_gets_no_token(broker, new_world, mixpanel, serving, tmp_path):
    """A certificate that is not trusted: waited for, nothing sent, nothing rejected; once it is, all goes on."""
    (tls, ca), (_, other) = serving(), serving()
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(other.read_bytes())
    with Tunnel(tls, mixpanel.port) as tunnel:
        world = new_world(broker)
        service = world.run(MIXPANEL_URL=tunnel.url, REQUESTS_CA_BUNDLE=str(trusted))
        world.send(changed("a", plan="x"))
        until(lambda: service.metric("retries_total", cause="tls") >= 1, "it is refused")
        assert service.said("Mixpanel fails")["cause"] == "tls"
        until(lambda: service.reasons() == ["nothing can be sent to Mixpanel: tls"], "it is not ready")
        assert mixpanel.requests.counts()["requests"] == 0
        assert world.committed() == {}
        assert service.get("/livez")[0] == 200
        trusted.write_bytes(ca.read_bytes())
        world.settled()
        assert world.profile("a") == {"plan": "x"}
        assert service.metric("dead_letters_total") == 0
