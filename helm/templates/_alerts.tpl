{{/*
The alerts: what wakes somebody is critical, what can wait for the morning is a warning. THRESHOLD stands for the
number that `monitoring.rules.alerts` may change. A symptom is silent while an alert that names its cause fires.
*/}}
{{- define "gc.series" -}}
{{- .Values.monitoring.rules.selector | default (printf "namespace=%q,app_kubernetes_io_instance=%q" .Release.Namespace .Release.Name) -}}
{{- end -}}

{{- define "gc.alerts" -}}
{{- $s := include "gc.series" . -}}
{{- $causes := printf "max(group_consumer_halted{%s}) > 0 or max(group_consumer_breaker_open{%s}) > 0 or max(group_consumer_dead_letters_blocked{%s}) > 0 or sum(group_consumer_paused{%s,cause=~\"fault|schema|rules|mapping|journal\"}) > 0" $s $s $s $s -}}
GroupConsumerHalted:
  for: 2m
  severity: critical
  expr: max by (project, cause) (group_consumer_halted{ {{- $s -}} }) > 0
  summary: Mixpanel refuses the credentials or the configuration of a project
  description: "Nothing is sent to project {{`{{ $labels.project }}`}} ({{`{{ $labels.cause }}`}}). Its records wait in Kafka, and lag grows until it is fixed."
GroupConsumerBreakerOpen:
  for: 0m
  severity: critical
  expr: max(group_consumer_breaker_open{ {{- $s -}} }) > 0
  summary: A flood of rejects has paused the service
  description: At least half of the records were refused. Look at the dead letters before anything is restarted.
GroupConsumerDeadLetterTopicUnwritable:
  for: 2m
  severity: critical
  expr: max(group_consumer_dead_letters_blocked{ {{- $s -}} }) > 0
  summary: Dead letters cannot be written
  description: "{{`{{ $value }}`}} dead letters wait, and their partitions with them. The topic is missing, or refuses the service."
GroupConsumerJournalUnusable:
  for: 2m
  severity: critical
  expr: sum(group_consumer_paused{ {{- $s -}},cause="journal"}) > 0
  summary: The journal of $adds cannot be read or written
  description: "{{`{{ $value }}`}} partitions are held at an $add: the topic is missing, or refuses the service."
GroupConsumerRegistryFailing:
  for: 5m
  severity: critical
  expr: sum(group_consumer_paused{ {{- $s -}},cause="schema"}) > 0
  summary: The schema registry does not give a schema that is needed
  description: "{{`{{ $value }}`}} partitions wait for a schema."
GroupConsumerSchemaRules:
  for: 2m
  severity: critical
  expr: sum(group_consumer_paused{ {{- $s -}},cause="rules"}) > 0
  summary: A schema has rules that the service does not run, or whose key it has not
  description: "{{`{{ $value }}`}} partitions are held: what the rules encrypted or changed would be sent as it is."
GroupConsumerMappingUnfitting:
  for: 2m
  severity: critical
  expr: sum(group_consumer_paused{ {{- $s -}},cause="mapping"}) > 0
  summary: The mapping file does not fit the schema of records
  description: "{{`{{ $value }}`}} partitions are held at a record that the mapping file cannot read: a column is gone, or of another type."
GroupConsumerFault:
  for: 2m
  severity: critical
  expr: sum(group_consumer_paused{ {{- $s -}},cause="fault"}) > 0
  summary: Records cannot be read, or the service itself stumbles over one
  description: "{{`{{ $value }}`}} partitions are held: a batch is damaged or too large once decompressed, or a record meets a fault of the service."
GroupConsumerRetriesWithoutSuccess:
  for: 5m
  severity: critical
  expr: >-
    sum by (project) (increase(group_consumer_retries_total{ {{- $s -}} }[10m])) > 0
    unless on (project) (sum by (project) (increase(group_consumer_requests_total{ {{- $s -}},outcome=~"accepted|partial"}[10m])) > 0)
  summary: Mixpanel has accepted nothing of a project for ten minutes
  description: "Requests of project {{`{{ $labels.project }}`}} fail, and are tried again. Nothing is lost; lag grows."
GroupConsumerSuspects:
  for: 5m
  severity: critical
  expr: sum(group_consumer_suspects{ {{- $s -}} }) > 0
  summary: A record fails by itself, and holds its partition's commit
  description: "{{`{{ $value }}`}} records are answered by a fault that others do not meet. Their groups wait; all else goes on."
GroupConsumerNoProgress:
  for: 5m
  severity: critical
  expr: >-
    count by (topic) (
      (min by (topic, partition) (min_over_time(group_consumer_lag_records{ {{- $s -}} }[10m])) > 0)
      unless on (topic, partition)
      (max by (topic, partition) (max_over_time(group_consumer_committed_offset{ {{- $s -}} }[10m]))
       - min by (topic, partition) (min_over_time(group_consumer_committed_offset{ {{- $s -}} }[10m])) > 0)
      unless on (topic, partition) (max by (topic, partition) (group_consumer_open_transaction_offsets{ {{- $s -}} }) > 0)
    ) > THRESHOLD
    unless on () ({{ $causes }} or max(group_consumer_suspects{ {{- $s -}} }) > 0)
  threshold: 0
  summary: Partitions with lag do not move
  description: "{{`{{ $value }}`}} partitions of {{`{{ $labels.topic }}`}} have lag, and have committed nothing for ten minutes."
GroupConsumerLagGrows:
  for: 10m
  severity: critical
  expr: >-
    (sum(group_consumer_lag_records{ {{- $s -}} }) / sum(rate(group_consumer_records_total{ {{- $s -}} }[10m])) > THRESHOLD
    and deriv(sum(group_consumer_lag_records{ {{- $s -}} })[15m:1m]) > 0)
    unless on () ({{ $causes }})
  threshold: 600
  summary: The service falls behind
  description: "It would take {{`{{ $value | humanizeDuration }}`}} to read what waits, and more comes in than goes out."
GroupConsumerRetentionGap:
  for: 0m
  severity: critical
  expr: >-
    sum((group_consumer_retention_gap_records_total{ {{- $s -}} } unless group_consumer_retention_gap_records_total{ {{- $s -}} } offset 15m)
    or increase(group_consumer_retention_gap_records_total{ {{- $s -}} }[15m])) > 0
  summary: Kafka has deleted records before they were read
  description: "About {{`{{ $value | humanize }}`}} records are gone: retention is shorter than the lag was."
GroupConsumerLogTruncated:
  for: 0m
  severity: critical
  expr: >-
    sum by (topic, partition) ((group_consumer_log_truncations_total{ {{- $s -}} } unless group_consumer_log_truncations_total{ {{- $s -}} } offset 15m)
    or increase(group_consumer_log_truncations_total{ {{- $s -}} }[15m])) > 0
  summary: Kafka has lost records that were read already
  description: "The log of {{`{{ $labels.topic }}`}}[{{`{{ $labels.partition }}`}}] was cut: an unclean election, or a restored disk."
GroupConsumerOpenTransaction:
  for: 5m
  severity: warning
  expr: max by (topic, partition) (group_consumer_open_transaction_offsets{ {{- $s -}} }) > 0
  summary: A transaction that nobody ends holds a partition back
  description: "{{`{{ $value | humanize }}`}} offsets of {{`{{ $labels.topic }}`}}[{{`{{ $labels.partition }}`}}] cannot be read before it ends."
GroupConsumerAbsent:
  for: 10m
  severity: critical
  expr: absent(group_consumer_build_info{ {{- $s -}} })
  summary: No pod of the service can be seen
  description: No pod runs, or its metrics are not scraped.
GroupConsumerReadsNothing:
  for: 5m
  severity: critical
  expr: >-
    count(group_consumer_build_info{ {{- $s -}} }) > 0
    unless on () (count(group_consumer_lag_records{ {{- $s -}} }) > 0)
  summary: Pods run, and none of them reads a partition
  description: "{{`{{ $value }}`}} pods run, and none reads: Kafka is away, refuses the credentials or the rights, or a topic is missing."
GroupConsumerDeadLetters:
  for: 0m
  severity: warning
  expr: >-
    sum by (reason) ((group_consumer_dead_letters_total{ {{- $s -}} } unless group_consumer_dead_letters_total{ {{- $s -}} } offset 15m)
    or increase(group_consumer_dead_letters_total{ {{- $s -}} }[15m])) > THRESHOLD
  threshold: 0
  summary: Records were refused
  description: "About {{`{{ $value | humanize }}`}} dead letters in a quarter of an hour: {{`{{ $labels.reason }}`}}."
GroupConsumerLosesPartitions:
  for: 0m
  severity: warning
  expr: sum(increase(group_consumer_rebalances_total{ {{- $s -}},kind="lost"}[30m])) > THRESHOLD
  threshold: 2
  summary: Pods lose partitions that they did not give back
  description: "{{`{{ $value | humanize }}`}} times in half an hour the group took partitions away from a pod that it could not hear."
GroupConsumerRestarts:
  for: 0m
  severity: warning
  expr: sum by (pod) (changes(process_start_time_seconds{ {{- $s -}} }[30m])) > THRESHOLD
  threshold: 0
  summary: A container was started again
  description: "{{`{{ $labels.pod }}`}} was started again {{`{{ $value }}`}} times in half an hour: killed for its memory, by its probe, or ended by itself."
{{- end -}}
