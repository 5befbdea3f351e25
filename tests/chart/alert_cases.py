"""When each alert must fire and what it says, and when it must stay silent; samples are a minute apart."""

from dataclasses import dataclass, field

OURS = 'namespace="here",app_kubernetes_io_instance="rel"'


def series(name: str, values: str, labels: str = "", pod: str = "a", ours: str = OURS) -> dict[str, str]:
    """One series, a sample each minute."""
    labels = f",{labels}" if labels else ""
    return {"series": f'group_consumer_{name}{{{ours},pod="{pod}"{labels}}}', "values": values}


def started(values: str, pod: str = "a") -> dict[str, str]:
    """When a pod's process was started, a sample each minute."""
    return {"series": f'process_start_time_seconds{{{OURS},pod="{pod}"}}', "values": values}


@dataclass(frozen=True)
class Case:
    """At this time the alert fires with these labels and these words; or is silent, with None."""

    name: str
    alert: str
    at: str
    given: list[dict[str, str]]
    says: str | None = None
    labels: dict[str, str] = field(default_factory=dict)


TOPIC = 'topic="t",partition="0"'
ACCEPTED = 'outcome="accepted"'
DEFAULT, EMEA = 'project="default"', 'project="emea"'
BUSY = series("lag_records", "1000+100x60", TOPIC)
STUCK = series("committed_offset", "5x60", TOPIC)
MOVES = series("committed_offset", "5+5x60", TOPIC)
SLOW = [series("lag_records", "100000+6000x60", TOPIC), series("records_total", "0+6000x60", 'topic="t"')]
NO_PROGRESS = "1 partitions of t have lag, and have committed nothing for ten minutes."

CASES = [
    Case(
        "halted for two minutes",
        "GroupConsumerHalted",
        "5m",
        [series("halted", "0 0 1x10", f'{EMEA},cause="401"'), series("halted", "0x12", f'{DEFAULT},cause="403"')],
        "Nothing is sent to project emea (401). Its records wait in Kafka, and lag grows until it is fixed.",
        {"project": "emea", "cause": "401"},
    ),
    Case("halted for a moment", "GroupConsumerHalted", "5m", [series("halted", "0 0 1 0x10", 'cause="401"')]),
    Case(
        "another release is halted",
        "GroupConsumerHalted",
        "9m",
        [series("halted", "1x10", 'cause="401"', ours='namespace="here",app_kubernetes_io_instance="other"')],
    ),
    Case(
        "one pod's breaker",
        "GroupConsumerBreakerOpen",
        "3m",
        [series("breaker_open", "0 0 1x10"), series("breaker_open", "0x10", pod="b")],
        "At least half of the records were refused. Look at the dead letters before anything is restarted.",
    ),
    Case("no breaker", "GroupConsumerBreakerOpen", "3m", [series("breaker_open", "0x10")]),
    Case(
        "a dead letter waits",
        "GroupConsumerDeadLetterTopicUnwritable",
        "5m",
        [series("dead_letters_blocked", "0 3x10")],
        "3 dead letters wait, and their partitions with them. The topic is missing, or refuses the service.",
    ),
    Case(
        "it waited a moment",
        "GroupConsumerDeadLetterTopicUnwritable",
        "5m",
        [series("dead_letters_blocked", "0 3 0x9")],
    ),
    Case(
        "an $add waits for the journal",
        "GroupConsumerJournalUnusable",
        "5m",
        [series("paused", "0 2x10", 'cause="journal"')],
        "2 partitions are held at an $add: the topic is missing, or refuses the service.",
    ),
    Case(
        "it waited a moment",
        "GroupConsumerJournalUnusable",
        "5m",
        [series("paused", "0 2 0x9", 'cause="journal"')],
    ),
    Case(
        "a schema is needed",
        "GroupConsumerRegistryFailing",
        "10m",
        [series("paused", "0 2x20", 'cause="schema"'), series("paused", "1x20", 'cause="schema"', pod="b")],
        "3 partitions wait for a schema.",
    ),
    Case("paused for memory", "GroupConsumerRegistryFailing", "20m", [series("paused", "9x30", 'cause="limit"')]),
    Case(
        "a schema has rules",
        "GroupConsumerSchemaRules",
        "5m",
        [series("paused", "0 2x20", 'cause="rules"')],
        "2 partitions are held: what the rules encrypted or changed would be sent as it is.",
    ),
    Case("a schema is needed only", "GroupConsumerSchemaRules", "9m", [series("paused", "1x30", 'cause="schema"')]),
    Case(
        "a column is gone",
        "GroupConsumerMappingUnfitting",
        "5m",
        [series("paused", "0 2x20", 'cause="mapping"')],
        "2 partitions are held at a record that the mapping file cannot read: a column is gone, or of another type.",
    ),
    Case("rules are not run", "GroupConsumerMappingUnfitting", "9m", [series("paused", "1x30", 'cause="rules"')]),
    Case(
        "a batch cannot be read",
        "GroupConsumerFault",
        "5m",
        [series("paused", "0 1x20", 'cause="fault"')],
        "1 partitions are held: a batch is damaged or too large once decompressed, or a record meets a fault of the"
        " service.",
    ),
    Case("paused for memory only", "GroupConsumerFault", "9m", [series("paused", "1x30", 'cause="limit"')]),
    *(
        Case(
            f"{cause} has its own alert",
            "GroupConsumerNoProgress",
            "20m",
            [BUSY, STUCK, series("paused", "1x60", f'cause="{cause}"')],
        )
        for cause in ("fault", "schema", "rules", "mapping", "journal")
    ),
    Case(
        "only retries",
        "GroupConsumerRetriesWithoutSuccess",
        "20m",
        [
            series("retries_total", "0+2x60", f'{EMEA},cause="503"'),
            series("requests_total", "7x60", f"{EMEA},{ACCEPTED}"),
            series("requests_total", "0+1x60", f"{DEFAULT},{ACCEPTED}"),
        ],
        "Requests of project emea fail, and are tried again. Nothing is lost; lag grows.",
        {"project": "emea"},
    ),
    Case(
        "nothing was ever accepted",
        "GroupConsumerRetriesWithoutSuccess",
        "20m",
        [series("retries_total", "0+2x60", f'{DEFAULT},cause="timeout"')],
        "Requests of project default fail, and are tried again. Nothing is lost; lag grows.",
        {"project": "default"},
    ),
    Case(
        "retries beside success",
        "GroupConsumerRetriesWithoutSuccess",
        "20m",
        [
            series("retries_total", "0+2x60", f'{EMEA},cause="503"'),
            series("requests_total", "0+1x60", f"{EMEA},{ACCEPTED}"),
        ],
    ),
    Case("no traffic", "GroupConsumerRetriesWithoutSuccess", "20m", [series("requests_total", "7x60", ACCEPTED)]),
    Case(
        "a record fails by itself",
        "GroupConsumerSuspects",
        "8m",
        [series("suspects", "0 1x20"), series("suspects", "0 2x20", pod="b")],
        "3 records are answered by a fault that others do not meet. Their groups wait; all else goes on.",
    ),
    Case("it got through", "GroupConsumerSuspects", "8m", [series("suspects", "0 1 1 0x20")]),
    Case("a suspect says why", "GroupConsumerNoProgress", "20m", [BUSY, STUCK, series("suspects", "1x60")]),
    Case("lag and no commit", "GroupConsumerNoProgress", "20m", [BUSY, STUCK], NO_PROGRESS, {"topic": "t"}),
    Case("lag and never a commit", "GroupConsumerNoProgress", "20m", [BUSY], NO_PROGRESS, {"topic": "t"}),
    Case("lag and commits", "GroupConsumerNoProgress", "20m", [BUSY, MOVES]),
    Case("no lag and no commit", "GroupConsumerNoProgress", "20m", [series("lag_records", "0x60", TOPIC), STUCK]),
    Case(
        "one partition of two",
        "GroupConsumerNoProgress",
        "20m",
        [
            *(BUSY, STUCK),
            series("lag_records", "1000x60", 'topic="t",partition="1"'),
            series("committed_offset", "5+5x60", 'topic="t",partition="1"'),
        ],
        NO_PROGRESS,
        {"topic": "t"},
    ),
    Case(
        "a partition that moved to another pod",
        "GroupConsumerNoProgress",
        "12m",
        [
            series("lag_records", "1000x5 stale", TOPIC),
            series("committed_offset", "5+5x5 stale", TOPIC),
            series("lag_records", "_x6 1000x20", TOPIC, pod="b"),
            series("committed_offset", "_x6 35x20", TOPIC, pod="b"),
        ],
    ),
    Case(
        "the cause has its own alert", "GroupConsumerNoProgress", "20m", [BUSY, STUCK, series("breaker_open", "1x60")]
    ),
    Case(
        "an open transaction has its own alert",
        "GroupConsumerNoProgress",
        "20m",
        [BUSY, STUCK, series("open_transaction_offsets", "7x60", TOPIC)],
    ),
    Case(
        "a transaction that nobody ends",
        "GroupConsumerOpenTransaction",
        "20m",
        [series("open_transaction_offsets", "_x5 7x30", TOPIC)],
        "7 offsets of t[0] cannot be read before it ends.",
        {"topic": "t", "partition": "0"},
    ),
    Case(
        "a log that was cut",
        "GroupConsumerLogTruncated",
        "20m",
        [series("log_truncations_total", "_x12 1x30", TOPIC)],
        "The log of t[0] was cut: an unclean election, or a restored disk.",
        {"topic": "t", "partition": "0"},
    ),
    Case("an old cut", "GroupConsumerLogTruncated", "40m", [series("log_truncations_total", "_x5 1x60", TOPIC)]),
    Case(
        "a transaction that ended",
        "GroupConsumerOpenTransaction",
        "20m",
        [series("open_transaction_offsets", "_x5 7x3 stale", TOPIC)],
    ),
    Case(
        "more comes in than goes out",
        "GroupConsumerLagGrows",
        "40m",
        SLOW,
        "It would take 56m 40s to read what waits, and more comes in than goes out.",
    ),
    Case(
        "a backlog that shrinks",
        "GroupConsumerLagGrows",
        "20m",
        [series("lag_records", "1000000-6000x60", TOPIC), series("records_total", "0+6000x60", 'topic="t"')],
    ),
    Case(
        "a little lag that grows",
        "GroupConsumerLagGrows",
        "40m",
        [series("lag_records", "0+10x60", TOPIC), series("records_total", "0+6000x60", 'topic="t"')],
    ),
    Case("halted meanwhile", "GroupConsumerLagGrows", "40m", [*SLOW, series("halted", "1x60", 'cause="401"')]),
    Case(
        "retention was faster",
        "GroupConsumerRetentionGap",
        "20m",
        [series("retention_gap_records_total", "0x10 500x20")],
        "About 500 records are gone: retention is shorter than the lag was.",
    ),
    Case(
        "retention was faster than a new pod",
        "GroupConsumerRetentionGap",
        "20m",
        [series("retention_gap_records_total", "0x30"), series("retention_gap_records_total", "_x9 500x20", pod="b")],
        "About 500 records are gone: retention is shorter than the lag was.",
    ),
    Case("an old gap", "GroupConsumerRetentionGap", "30m", [series("retention_gap_records_total", "500x60")]),
    Case(
        "no pod",
        "GroupConsumerAbsent",
        "20m",
        [series("build_info", "1x5 stale", 'version="1"')],
        "No pod runs, or its metrics are not scraped.",
        {"namespace": "here", "app_kubernetes_io_instance": "rel"},
    ),
    Case("one pod", "GroupConsumerAbsent", "20m", [series("build_info", "1x60", 'version="1"')]),
    Case(
        "both pods wait for Kafka",
        "GroupConsumerReadsNothing",
        "8m",
        [series("build_info", "1x20", 'version="1"'), series("build_info", "1x20", 'version="1"', pod="b")],
        "2 pods run, and none reads: Kafka is away, refuses the credentials or the rights, or a topic is missing.",
    ),
    Case(
        "a start that takes a while",
        "GroupConsumerReadsNothing",
        "8m",
        [series("build_info", "1x20", 'version="1"'), series("lag_records", "_x4 0x20", TOPIC)],
    ),
    Case(
        "a pod more than there are partitions",
        "GroupConsumerReadsNothing",
        "20m",
        [
            series("build_info", "1x20", 'version="1"'),
            series("build_info", "1x20", 'version="1"', pod="b"),
            series("lag_records", "0x20", TOPIC),
        ],
    ),
    Case(
        "scaled to none",
        "GroupConsumerReadsNothing",
        "20m",
        [series("build_info", "1x5 stale", 'version="1"'), series("lag_records", "0x5 stale", TOPIC)],
    ),
    Case(
        "rejects of one kind",
        "GroupConsumerDeadLetters",
        "20m",
        [
            series("dead_letters_total", "0x15 14x20", 'reason="rejected"'),
            series("dead_letters_total", "0x60", 'reason="corrupt"'),
        ],
        "About 14 dead letters in a quarter of an hour: rejected.",
        {"reason": "rejected"},
    ),
    Case(
        "rejects before the first scrape of a new pod",
        "GroupConsumerDeadLetters",
        "20m",
        [
            series("dead_letters_total", "9x30", 'reason="corrupt"'),
            series("dead_letters_total", "_x9 3x20", 'reason="corrupt"', pod="b"),
        ],
        "About 3 dead letters in a quarter of an hour: corrupt.",
        {"reason": "corrupt"},
    ),
    Case(
        "rejects of yesterday",
        "GroupConsumerDeadLetters",
        "40m",
        [series("dead_letters_total", "9x60", 'reason="corrupt"')],
    ),
    Case(
        "partitions are lost again and again",
        "GroupConsumerLosesPartitions",
        "40m",
        [series("rebalances_total", "0x10 1x5 2x5 4x30", 'kind="lost"')],
        "4 times in half an hour the group took partitions away from a pod that it could not hear.",
    ),
    Case(
        "rebalances that are none's fault",
        "GroupConsumerLosesPartitions",
        "40m",
        [
            series("rebalances_total", "0+1x60", 'kind="revoked"'),
            series("rebalances_total", "0x20 1x40", 'kind="lost"'),
        ],
    ),
    Case(
        "killed for its memory",
        "GroupConsumerRestarts",
        "20m",
        [started("1000x10 1600x20"), started("1000x30", pod="b")],
        "a was started again 1 times in half an hour: killed for its memory, by its probe, or ended by itself.",
        {"pod": "a"},
    ),
    Case(
        "pods that come and go",
        "GroupConsumerRestarts",
        "20m",
        [started("1000x10 stale"), started("_x9 1500x20", pod="b")],
    ),
    Case("a restart of yesterday", "GroupConsumerRestarts", "50m", [started("1000x5 1300x60")]),
]
