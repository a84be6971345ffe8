# syntax=docker/dockerfile:1
# One image for all roles, chosen by command: sundial-operator, sundial-api, sundial-database.
ARG BASE=python:3.13-slim-bookworm
# Where it runs: BASE, or one without a shell that has the same Python at the same path.
ARG RUNTIME=${BASE}

FROM ${BASE} AS build
# pip imports what it finds in /venv: bytecode that this left would hold a time, and compileall would keep it.
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
COPY requirements.build.lock requirements.runtime.lock ./
RUN python3 -m venv /tools \
 && /tools/bin/pip install --no-compile --require-hashes -r requirements.build.lock \
 && python3 -m venv --without-pip /venv \
 && /tools/bin/pip --python /venv/bin/python install --no-compile --require-hashes --only-binary=:all: -r requirements.runtime.lock
COPY pyproject.toml README.md LICENSE ./
COPY core core
COPY operator operator
COPY api api
COPY runner runner
COPY alembic alembic
# A root file system that is read-only keeps no bytecode that is made later; it holds whatever the time of a file is. The
# client's generated kinds, half of all there is, are hardly ever imported.
RUN /tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /tools/bin/pip --python /venv/bin/python install --no-compile --no-deps --no-index /wheels/*.whl \
 && find /venv -type d -name tests -path '*/site-packages/*' -prune -exec rm -rf {} + \
 && python3 -m compileall -q --invalidation-mode unchecked-hash -j 0 -x '/kubernetes/(aio/)?client/(api|models)/' /venv/lib

FROM ${RUNTIME}
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp USER=sundial
WORKDIR /tmp
USER 65532:65532
# What it lacks of libraries is told here, and not by the first Pod. There may be no shell.
RUN ["python3", "-c", "import sundial_api.main, sundial_api.db.command, sundial_operator.main"]
LABEL org.opencontainers.image.title="sundial" org.opencontainers.image.licenses="Apache-2.0"
CMD ["sundial-operator"]
