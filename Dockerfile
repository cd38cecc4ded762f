# addonctl in a container: not root, and nothing to write but /tmp.
#
#   docker build -t addonctl .
#   docker run --rm --read-only --tmpfs /tmp -e AWS_ACCESS_KEY_ID -e AWS_SECRET_ACCESS_KEY -e AWS_SESSION_TOKEN \
#     addonctl analyze --eks prod-eu-1 --region eu-central-1
#
# What is installed is what requirements.lock names, by its hash. Where builds must be the same, name the image that it
# stands on by its digest, too: --build-arg PYTHON=python:3.13-slim@sha256:…
ARG PYTHON=python:3.13-slim

FROM ${PYTHON} AS build
COPY requirements.lock /
RUN pip install --no-cache-dir --require-hashes --only-binary :all: --target /app -r /requirements.lock
COPY addonctl /app/addonctl
RUN python -m compileall -q --invalidation-mode unchecked-hash /app
RUN printf '#!/bin/sh\nexec python -m addonctl "$@"\n' > /app/bin/addonctl && chmod 755 /app/bin/addonctl

FROM ${PYTHON}
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH PYTHONPATH=/app PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
USER 65532:65532
ENTRYPOINT ["addonctl"]
CMD ["--help"]
