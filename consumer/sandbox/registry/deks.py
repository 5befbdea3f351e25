"""The keys of encrypted fields as Confluent's DEK registry keeps them: by name those that wrap, by subject those that
encrypt. It stores what clients wrapped, and can unwrap nothing: that is for whoever has the local KMS's secret."""

import time
from typing import Any, Final

from consumer.sandbox.registry.models import ApiError, Json

NO_KEY: Final = 40470
NO_VERSION: Final = 42202


class Deks:
    """What is stored. `keks` are by name; `deks` by name, subject, algorithm, version."""

    def __init__(self) -> None:
        self.keks: dict[str, Json] = {}
        self.deks: dict[tuple[str, str, str, int], Json] = {}

    def answer(self, method: str, path: list[str], query: dict[str, str], body: Json) -> Any:
        """The answer to a request below /dek-registry/v1. Raises `ApiError`."""
        match (method, path):
            case ("GET", ["keks"]):
                return list(self.keks)
            case ("POST", ["keks"]):
                return self._stored_kek(body)
            case ("GET", ["keks", name]):
                return self._kek(name)
            case ("POST", ["keks", name, "deks", *subject]):
                return self._stored_dek(name, subject[0] if subject else str(body.get("subject")), body)
            case ("GET", ["keks", name, "deks"]):
                self._kek(name)
                return list(dict.fromkeys(of for kek, of, _, _ in self.deks if kek == name))
            case ("GET", ["keks", name, "deks", subject, *rest]):
                return self._dek(name, subject, query.get("algorithm", "AES256_GCM"), rest)
        raise ApiError(404, 404, "HTTP 404 Not Found")

    def _kek(self, name: str) -> Json:
        if name not in self.keks:
            raise ApiError(404, NO_KEY, f"Key '{name}' not found")
        return self.keks[name]

    def _stored_kek(self, body: Json) -> Json:
        name = str(body.get("name"))
        if name in self.keks:
            raise ApiError(409, 40972, f"Key '{name}' already exists")
        kept = {key: body.get(key) for key in ("kmsType", "kmsKeyId", "kmsProps", "doc")}
        self.keks[name] = {"name": name, **kept, "shared": bool(body.get("shared")), "ts": now()}
        return self.keks[name]

    def _stored_dek(self, name: str, subject: str, body: Json) -> Json:
        self._kek(name)
        algorithm = str(body.get("algorithm") or "AES256_GCM")
        number = int(body.get("version") or 1)
        place = (name, subject, algorithm, number)
        if place in self.deks:
            raise ApiError(409, 40972, f"Key '{subject}' already exists")
        self.deks[place] = {
            "kekName": name,
            "subject": subject,
            "version": number,
            "algorithm": algorithm,
            "encryptedKeyMaterial": body.get("encryptedKeyMaterial"),
            "ts": now(),
        }
        return self.deks[place]

    def _dek(self, name: str, subject: str, algorithm: str, rest: list[str]) -> Any:
        self._kek(name)
        numbers = sorted(place[3] for place in self.deks if place[:3] == (name, subject, algorithm))
        if rest == ["versions"]:
            if not numbers:
                raise ApiError(404, NO_KEY, f"Key '{subject}' not found")
            return numbers
        asked = rest[1] if rest[:1] == ["versions"] and len(rest) == 2 else "1"
        newest = asked in ("-1", "latest")
        if not newest and not (asked.isdecimal() and 0 < int(asked) < 2**31):
            raise ApiError(422, NO_VERSION, f"The specified version '{asked}' is not a valid version id")
        number = (numbers[-1] if numbers else 0) if newest else int(asked)
        found = self.deks.get((name, subject, algorithm, number))
        if found is None:
            raise ApiError(404, NO_KEY, f"Key '{subject}' not found")
        return found


def now() -> int:
    """Milliseconds, as a registry says when a key was stored."""
    return int(time.time() * 1000)
