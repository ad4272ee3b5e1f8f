# Two stages: the first compiles durable-rules from its source archive, the second has no compiler.
# The tag moves with Debian's and Python's fixes; docs/image.md says how to pin it by digest (--build-arg BASE=...@sha256:...).
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE} AS build
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN python -m venv /opt/lumbar \
 && /opt/lumbar/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt \
 && CC="gcc -O2" /opt/lumbar/bin/pip install --no-cache-dir --require-hashes \
      --no-build-isolation --no-binary durable-rules -r requirements/runtime.txt \
 && /opt/lumbar/bin/pip uninstall --yes setuptools wheel pip

FROM ${BASE}
LABEL org.opencontainers.image.title="Lumbar" \
      org.opencontainers.image.description="Clinician decision support for low back pain"
ENV PATH=/opt/lumbar/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MALLOC_ARENA_MAX=2
RUN useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin lumbar
WORKDIR /srv/lumbar
COPY --from=build /opt/lumbar /opt/lumbar
COPY wsgi.py gunicorn.conf.py openapi.yaml ./
COPY schemas schemas
COPY rules rules
COPY service service
# The rules are checked here, and the copy that passed is kept, so that a container starts in about a second.
RUN python -c "import rules; rules.load()"
USER 10001
EXPOSE 8000
# On 0.0.0.0 the service starts only with LUMBAR_API_KEYS_FILE (a mounted secret) or LUMBAR_ANONYMOUS=yes.
# gunicorn keeps its heartbeat files in memory, so the root file system can be read-only (docker run --read-only).
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
CMD ["gunicorn", "--bind", "0.0.0.0:8000", "--worker-tmp-dir", "/dev/shm", "wsgi:app"]
