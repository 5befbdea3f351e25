{{/* The one container, of the service and of a check or a replay: (list root args serves). */}}

{{- define "gc.container" -}}
{{- $root := index . 0 -}}
{{- $args := index . 1 -}}
{{- $serves := index . 2 -}}
{{- $v := $root.Values -}}
name: group-consumer
image: {{ include "gc.image" $root | quote }}
imagePullPolicy: {{ $v.image.pullPolicy }}
args:
  {{- toYaml $args | nindent 2 }}
env:
  {{- include "gc.env" (list $root $serves) | nindent 2 }}
{{- with $v.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if $serves }}
ports:
  - name: http
    containerPort: {{ $v.httpPort | int64 }}
    protocol: TCP
startupProbe:
  httpGet: {path: /livez, port: http}
  {{- toYaml $v.probes.startup | nindent 2 }}
livenessProbe:
  httpGet: {path: /livez, port: http}
  {{- toYaml $v.probes.liveness | nindent 2 }}
readinessProbe:
  httpGet: {path: /readyz, port: http}
  {{- toYaml $v.probes.readiness | nindent 2 }}
{{- end }}
{{- with $v.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml $v.securityContext | nindent 2 }}
volumeMounts:
  - name: tmp
    mountPath: /tmp
  {{- if include "gc.mounted" $root | fromJsonArray }}
  - name: configuration
    mountPath: {{ include "gc.folder" $root }}
    readOnly: true
  {{- end }}
  {{- if $v.schemaRegistry.cache.enabled }}
  - name: schemas
    mountPath: {{ include "gc.cacheFolder" $root }}
  {{- end }}
  {{- with $v.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "gc.volumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- with include "gc.mounted" . | fromJsonArray }}
- name: configuration
  projected:
    defaultMode: 0440
    sources:
      {{- range . }}
      - {{ .kind }}:
          name: {{ .name | quote }}
          {{- if .key }}
          items:
            - {key: {{ .key | quote }}, path: {{ .file | quote }}}
          {{- end }}
      {{- end }}
{{- end }}
{{- if .Values.schemaRegistry.cache.enabled }}
- name: schemas
  {{- toYaml .Values.schemaRegistry.cache.volume | nindent 2 }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What every pod of the chart has: (root). */}}
{{- define "gc.podBasics" -}}
serviceAccountName: {{ include "gc.serviceAccount" . }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A pod that runs one command and ends: (list root args). */}}
{{- define "gc.taskPod" -}}
{{- $root := index . 0 -}}
restartPolicy: Never
{{ include "gc.podBasics" $root }}
containers:
  - {{ include "gc.container" (list $root (index . 1) false) | nindent 4 | trim }}
volumes:
  {{- include "gc.volumes" $root | nindent 2 }}
{{- end -}}

{{- define "gc.checksums" -}}
{{- if include "gc.ownSecret" . }}
checksum/secret: {{ include "gc.ownSecret" . | sha256sum }}
{{- end }}
{{- with include "gc.commonProperties" . }}
checksum/properties: {{ . | sha256sum }}
{{- end }}
{{- with .Values.mapping.text }}
checksum/mapping: {{ . | sha256sum }}
{{- end }}
{{- with .Values.mapping.existingConfigMap }}
{{- with lookup "v1" "ConfigMap" $.Release.Namespace . }}
checksum/mapping: {{ dig "data" $.Values.mapping.key "" . | sha256sum }}
{{- end }}
{{- end }}
{{- with .Values.secrets.revision }}
group-consumer/secrets-revision: {{ . | quote }}
{{- end }}
{{- end -}}
