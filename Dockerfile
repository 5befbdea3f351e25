# syntax=docker/dockerfile:1
#
#   docker build --tag mixpanel-group-consumer:0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" .
#
# Three stages: one compiles, one takes from the slim image what a service needs, the last is that and nothing else.
# It has no compiler and no pip, runs as a number, writes nowhere, and PID 1 is the service itself.
# A release is built on the digests that the bases have then (.github/workflows/release.yml): --build-arg BUILD=...@sha256:...
# They are not written here, since they change with every security fix of the bases.
# --build-arg REQUIREMENTS=rules: with what decrypts encrypted fields, 100 MB more (docs/encryption.md).

ARG BUILD=python:3.13-trixie
ARG SLIM=python:3.13-slim-trixie

FROM ${BUILD} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    # The same source gives the same bytes: archives and byte code carry this time, not that of the build.
    SOURCE_DATE_EPOCH=315532800 \
    # Without a compiler that works the build fails, instead of leaving the core uncompiled.
    GROUP_CONSUMER_COMPILED=1
WORKDIR /build
ARG REQUIREMENTS=runtime
COPY requirements/build.txt requirements/runtime.txt requirements/rules.txt requirements/
RUN python -m venv --without-pip /opt/group-consumer \
    && python -m venv --without-pip /opt/tools \
    && python -m pip --python /opt/group-consumer/bin/python install --require-hashes --only-binary :all: --no-binary hkdf -r requirements/${REQUIREMENTS}.txt \
    && python -m pip --python /opt/tools/bin/python install --require-hashes --only-binary :all: -r requirements/build.txt
# It stands in build_info, too.
ARG REVISION=unknown
COPY pyproject.toml setup.py README.md LICENSE ./
COPY schemas/ schemas/
COPY consumer/ consumer/
# Debug symbols are nine tenths of fastavro's libraries and two fifths of our own; of AWS's services, roles need three,
# and keys one.
RUN python -m pip --python /opt/tools/bin/python wheel --no-build-isolation --no-deps --wheel-dir /wheel . \
    && python -m pip --python /opt/group-consumer/bin/python install --no-deps --no-index /wheel/*.whl \
    && find /opt/group-consumer \( -path '*/fastavro/*.so' -o -name '*__mypyc*.so' \) -exec strip --strip-debug {} + \
    && find /opt/group-consumer -path '*/botocore/data/*' -prune -type d ! -name sts ! -name sso ! -name sso-oidc ! -name kms -exec rm -r {} + \
    && find /opt/group-consumer -path '*/boto3/data/*' -prune -type d -exec rm -r {} + \
    && /opt/group-consumer/bin/group-consumer --version

FROM ${SLIM} AS root
# What only serves to install or to read about, Python's own games, and another language.
RUN python -c "import shutil, sys, sysconfig; \
library = sysconfig.get_path('stdlib') + '/'; \
names = ('ensurepip', 'idlelib', 'turtledemo', 'tkinter', 'pydoc_data', 'site-packages'); \
[shutil.rmtree(path, True) for path in [library + name for name in names] + sys.argv[1:]]" \
    /usr/local/include /usr/share/doc /usr/share/man /usr/share/locale /var/lib/apt/lists /var/cache \
    && rm -rf /usr/bin/perl* /usr/lib/*/perl-base
COPY --from=build /opt/group-consumer /opt/group-consumer

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="mixpanel-group-consumer" \
      org.opencontainers.image.description="Applies Avro group-change events from Kafka to Mixpanel group profiles" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# hadolint ignore=DL3067  # the copy is the point: what was removed above would stay in the layers of the slim image
COPY --from=root / /
ENV PATH=/opt/group-consumer/bin:/usr/local/bin:/usr/bin:/bin \
    LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONFAULTHANDLER=1
USER 10001:10001
WORKDIR /tmp
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/group-consumer/bin/group-consumer"]
CMD ["run"]
